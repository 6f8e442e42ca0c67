(() => {
  // Lives in a world of its own beside the page's, which cannot reach it. `refs` are those of all snapshots of this document.
  if (globalThis.oc) return;
  const set = (words) => new Set(words.split(' '));
  const INTERACTIVE = set('button link textbox checkbox radio combobox listbox menuitem menuitemcheckbox menuitemradio option searchbox slider spinbutton switch tab treeitem');
  const CONTENT = set('heading cell gridcell columnheader rowheader listitem article region main navigation');
  const NAMED_BY_CONTENT = set('button link heading option cell gridcell columnheader rowheader menuitem menuitemcheckbox menuitemradio radio checkbox switch tab treeitem tooltip');
  const UNSEEN = set('SCRIPT STYLE TEMPLATE NOSCRIPT HEAD META LINK TITLE BR WBR');
  const OPAQUE = set('IMG CANVAS VIDEO AUDIO IFRAME FRAME TEXTAREA SVG svg');
  const INPUTS = {button: 'button', submit: 'button', reset: 'button', image: 'button', file: 'button', color: 'button', checkbox: 'checkbox', radio: 'radio', range: 'slider', number: 'spinbutton', search: 'searchbox', hidden: ''};
  const TAGS = {BUTTON: 'button', TEXTAREA: 'textbox', OPTION: 'option', H1: 'heading', H2: 'heading', H3: 'heading', H4: 'heading', H5: 'heading', H6: 'heading', UL: 'list', OL: 'list', MENU: 'list', LI: 'listitem', NAV: 'navigation', MAIN: 'main', ASIDE: 'complementary', ARTICLE: 'article', TABLE: 'table', TR: 'row', TD: 'cell', THEAD: 'rowgroup', TBODY: 'rowgroup', TFOOT: 'rowgroup', CAPTION: 'caption', P: 'paragraph', DIALOG: 'dialog', DETAILS: 'group', FIELDSET: 'group', OPTGROUP: 'group', HR: 'separator', PROGRESS: 'progressbar', METER: 'meter', OUTPUT: 'status', IFRAME: 'iframe', FRAME: 'iframe', SVG: 'img', BLOCKQUOTE: 'blockquote', CODE: 'code', EM: 'emphasis', STRONG: 'strong', FIGURE: 'figure', SUMMARY: 'button', DL: 'list', DT: 'term', DD: 'definition', SEARCH: 'search', VIDEO: 'video', AUDIO: 'audio', CANVAS: 'img'};
  const refs = new Map();
  const numbers = new WeakMap();
  let last = 0, active = null;
  // Characters that are left, and how many of them a node takes at least where it is shown: what no longer fits is not looked at.
  let left = Infinity, takes = () => 0;

  const tidy = (text) => text.replace(/[\s ]+/g, ' ').trim();
  const cut = (text, most) => text.length > most ? text.slice(0, most) + '…' : text;
  const attr = (el, name) => (el.getAttribute(name) || '').trim();

  function role(el) {
    const own = attr(el, 'role').split(' ')[0];
    if (own) return own === 'presentation' ? 'none' : own;
    const tag = el.tagName.toUpperCase();
    switch (tag) {
      case 'A': case 'AREA': return el.hasAttribute('href') ? 'link' : 'generic';
      case 'INPUT': {
        const kind = INPUTS[el.type] ?? 'textbox';
        return kind === 'textbox' && el.hasAttribute('list') ? 'combobox' : kind;
      }
      case 'SELECT': return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
      case 'IMG': return el.alt === '' && el.hasAttribute('alt') ? 'none' : 'img';
      case 'TH': return el.scope === 'row' ? 'rowheader' : 'columnheader';
      case 'SECTION': return attr(el, 'aria-label') || el.hasAttribute('aria-labelledby') ? 'region' : 'generic';
      case 'FORM': return attr(el, 'aria-label') || el.hasAttribute('aria-labelledby') ? 'form' : 'generic';
      case 'HEADER': return el.closest('article,section,main,aside,nav') ? 'generic' : 'banner';
      case 'FOOTER': return el.closest('article,section,main,aside,nav') ? 'generic' : 'contentinfo';
    }
    if (el.hasAttribute('contenteditable') && el.isContentEditable && !el.parentElement?.isContentEditable) return 'textbox';
    return TAGS[tag] || 'generic';
  }

  const shown = (el) => el.checkVisibility({visibilityProperty: true});

  function kids(el) {
    if (el.tagName === 'SLOT' && el.assignedNodes().length) return el.assignedNodes();
    const all = [];
    for (let kid = (el.shadowRoot || el).firstChild; kid; kid = kid.nextSibling) all.push(kid);
    return all;
  }

  function words(node, most) {
    if (node.nodeType === 3) return node.data;
    if (node.nodeType !== 1 || UNSEEN.has(node.tagName) || attr(node, 'aria-hidden') === 'true') return '';
    if (attr(node, 'aria-label')) return attr(node, 'aria-label');
    const tag = node.tagName;
    if (tag === 'IMG') return ' ' + node.alt + ' ';
    if (tag === 'INPUT') return ['button', 'submit', 'reset'].includes(node.type) ? node.value : '';
    if (tag === 'SELECT' || tag === 'TEXTAREA' || tag === 'IFRAME') return '';
    if (!node.checkVisibility() && getComputedStyle(node).display === 'none' && tag !== 'OPTION') return '';
    let text = '';
    for (const kid of kids(node)) {
      text += words(kid, most - text.length);
      if (text.length > most) break;
    }
    return tag === 'SPAN' || tag === 'B' || tag === 'I' || tag === 'EM' || tag === 'STRONG' || tag === 'A' ? text : ' ' + text + ' ';
  }

  function name(el, kind) {
    const by = attr(el, 'aria-labelledby');
    if (by) {
      const text = tidy(by.split(/\s+/).map((id) => el.getRootNode().getElementById?.(id)).filter(Boolean).map((e) => words(e, 300)).join(' '));
      if (text) return cut(text, 300);
    }
    let text = attr(el, 'aria-label');
    const tag = el.tagName;
    if (!text && el.labels?.length) text = tidy([...el.labels].map((label) => words(label, 300)).join(' '));
    if (!text && tag === 'INPUT' && INPUTS[el.type] === 'button') {
      text = el.type === 'image' ? el.alt : el.value || {submit: 'Submit', reset: 'Reset', file: 'Choose file'}[el.type] || '';
    }
    if (!text && (tag === 'IMG' || tag === 'AREA')) text = el.alt;
    if (!text && tag.toUpperCase() === 'SVG') text = el.querySelector('title')?.textContent || '';
    if (!text && tag === 'FIELDSET') text = words(el.querySelector('legend') || document.createTextNode(''), 300);
    if (!text && tag === 'TABLE') text = el.caption ? words(el.caption, 300) : '';
    if (!text && tag === 'IFRAME') text = attr(el, 'title') || attr(el, 'name');
    if (!text && NAMED_BY_CONTENT.has(kind)) text = words(el, 300);
    return cut(tidy(text || attr(el, 'title') || attr(el, 'placeholder')), 300);
  }

  function marks(el, kind) {
    const found = [];
    const aria = (what) => attr(el, 'aria-' + what);
    if (el === active) found.push('active');
    if (['checkbox', 'radio', 'switch', 'menuitemcheckbox', 'menuitemradio'].includes(kind)) {
      if (el.indeterminate || aria('checked') === 'mixed') found.push('checked=mixed');
      else if (el.checked || aria('checked') === 'true') found.push('checked');
    }
    if (off(el)) found.push('disabled');
    if (aria('expanded') === 'true' || (el.tagName === 'SUMMARY' && el.parentElement?.open)) found.push('expanded');
    if (kind === 'heading') found.push('level=' + (aria('level') || el.tagName.slice(1)));
    if (aria('pressed') === 'true') found.push('pressed');
    if (el.tagName === 'OPTION' ? el.selected : aria('selected') === 'true') found.push('selected');
    return found;
  }

  const off = (el) => el.matches?.(':disabled') || attr(el, 'aria-disabled') === 'true';

  function value(el, kind) {
    if (el.tagName === 'SELECT' || ['checkbox', 'radio', 'button', 'option'].includes(kind)) return '';
    if (el.tagName === 'INPUT' && el.type === 'password') return el.value ? '••••' : '';
    return 'value' in el && typeof el.value === 'string' && /INPUT|TEXTAREA/.test(el.tagName) ? cut(tidy(el.value), 500) : '';
  }

  // A node of the tree is a text, or an element with what it holds.
  function walk(el, pointed, into, depth) {
    if (left < 0) return;
    const tag = el.tagName;
    if (UNSEEN.has(tag) || attr(el, 'aria-hidden') === 'true') return;
    // What a style says is asked for once: each answer is made anew.
    const style = getComputedStyle(el), display = style.display;
    const isOption = tag === 'OPTION' || tag === 'OPTGROUP', isContents = display === 'contents';
    if (!isOption && !isContents && !el.checkVisibility()) return;
    const isSeen = isOption || isContents || style.visibility === 'visible';
    const kind = isSeen ? role(el) : 'generic';
    if (kind === '') return;
    const points = isSeen && style.cursor === 'pointer';
    const isPlain = kind === 'generic' || kind === 'none';
    const isNode = !isPlain || (points && !pointed) || (isSeen && el.hasAttribute('tabindex') && el.tabIndex >= 0);
    const isInline = isContents || display.startsWith('inline');
    const node = {el, kind: isPlain ? 'generic' : kind, name: isNode ? name(el, kind) : '', points: points && !pointed, kids: []};
    if (isNode) left -= takes(node, depth);
    const inside = isNode ? node.kids : into;
    if (!isNode && !isInline) inside.push(null);
    if (!OPAQUE.has(tag)) {
      for (const kid of kids(el)) {
        if (kid.nodeType === 3) { if (isSeen && kid.data) inside.push(kid.data); }
        else if (kid.nodeType === 1) walk(kid, pointed || points, inside, isNode ? depth + 1 : depth);
      }
    }
    if (!isNode) { if (!isInline) inside.push(null); return; }
    node.kids = merge(node.kids);
    const only = node.kids.length === 1 && typeof node.kids[0] === 'string';
    if (only && node.name && tidy(node.kids[0]) === node.name) node.kids = [];
    into.push(node);
  }

  // Texts that stand side by side are one; `null` is the edge of a block.
  function merge(kids) {
    const merged = [];
    let text = '';
    const end = () => { const t = tidy(text); if (t) merged.push(t); text = ''; };
    for (const kid of kids) {
      if (typeof kid === 'string') text += kid;
      else { end(); if (kid) merged.push(kid); }
    }
    end();
    return merged;
  }

  function tree(root) {
    const found = [];
    walk(root, false, found, 1);
    left = Infinity;
    return merge(found);
  }

  function each(nodes, see) {
    for (const node of nodes) if (typeof node !== 'string') { see(node); each(node.kids, see); }
  }

  const isReferred = (node, form) => form === 'ai' ? true : INTERACTIVE.has(node.kind) || (CONTENT.has(node.kind) && node.name) || node.kind === 'iframe' || node.points;

  function refer(nodes, form) {
    const seen = new Map();
    each(nodes, (node) => {
      if (!isReferred(node, form)) return;
      let number = numbers.get(node.el);
      if (!number) numbers.set(node.el, number = ++last);
      node.ref = 'e' + number;
      const key = node.kind + '\n' + node.name;
      node.nth = seen.get(key) || 0;
      seen.set(key, node.nth + 1);
      refs.set(node.ref, {el: new WeakRef(node.el), kind: node.kind, name: node.name, nth: node.nth, form});
    });
  }

  const plain = (text) => /^[-?:,[\]{}#&*!|>'"%@`]|: |:$| #/.test(text) ? JSON.stringify(text) : text;

  function snapshot(options) {
    const root = options.selector ? document.querySelector(options.selector) : document.body || document.documentElement;
    if (!root) throw new Error(options.selector ? 'no element matches the selector ' + options.selector : 'the page is empty');
    const {form, interactive, compact} = options;
    active = document.activeElement === document.body ? null : document.activeElement;
    while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
    const isActing = (node) => INTERACTIVE.has(node.kind) || node.points || node.kind === 'iframe';
    const isCounted = (node, depth) => (interactive ? isActing(node) : !compact) && !(options.depth && depth > options.depth);
    left = options.most;
    takes = (node, depth) => isCounted(node, depth) ? node.kind.length + node.name.length + 2 : 0;
    const nodes = tree(root);
    refer(nodes, form);
    const lines = [], frames = [], listed = {};
    let chars = 0, isFull = false, acting = 0;
    const has = (node) => typeof node === 'string' || Boolean(node.ref && (node.name || node.kind !== 'generic')) || node.kids.some(has);
    const put = (indent, text) => {
      if (isFull) return;
      const line = ' '.repeat(indent) + text;
      if (chars + line.length > options.most) { isFull = true; return; }
      chars += line.length + 1;
      lines.push(line);
    };
    const list = (node) => {
      if (isFull || !node.ref) return;
      listed[node.ref] = node.name ? {role: node.kind, name: node.name} : {role: node.kind};
      if (node.nth) listed[node.ref].nth = node.nth;
    };
    const head = (node) => {
      const own = marks(node.el, node.kind).map((mark) => ` [${mark}]`).join('');
      const title = node.name ? ' ' + JSON.stringify(node.name) : '';
      const ref = node.ref ? ` [ref=${node.ref}]` : '';
      const points = node.points && form === 'ai' ? ' [cursor=pointer]' : '';
      const nth = node.nth && form === 'role' ? ` [nth=${node.nth}]` : '';
      return '- ' + node.kind + title + (form === 'ai' ? own + ref + points : ref + nth + own);
    };
    const show = (node, depth, indent) => {
      if (isFull || (options.depth && depth > options.depth)) return;
      if (typeof node === 'string') { if (!interactive) put(indent, '- text: ' + plain(cut(node, 5000))); return; }
      const acts = isActing(node);
      if (acts) acting++;
      if (interactive) {
        if (acts) { put(0, head(node)); list(node); }
        if (node.kind === 'iframe') frames.push({ref: node.ref, line: lines.length - 1, indent: 2});
        for (const kid of node.kids) show(kid, depth + 1, 0);
        return;
      }
      if (compact && !node.ref && !node.name && !has(node)) return;
      const own = value(node.el, node.kind);
      const url = node.kind === 'link' && form === 'ai' ? node.el.getAttribute('href') : null;
      const text = own || (node.kids.length === 1 && typeof node.kids[0] === 'string' && url === null ? node.kids[0] : '');
      const isOpen = !text && (node.kids.length || url !== null);
      put(indent, head(node) + (text ? ': ' + plain(cut(text, 5000)) : isOpen ? ':' : ''));
      list(node);
      if (node.kind === 'iframe') frames.push({ref: node.ref, line: lines.length - 1, indent: indent + 2});
      if (!isOpen) return;
      if (url !== null) put(indent + 2, '- /url: ' + plain(cut(url, 500)));
      for (const kid of node.kids) show(kid, depth + 1, indent + 2);
    };
    for (const node of nodes) show(node, 1, 0);
    return {lines: lines.join('\n'), refs: listed, frames: isFull ? frames.filter((f) => f.line < lines.length) : frames, truncated: isFull, interactive: acting};
  }

  // The element of a ref; one that was drawn anew is found by what it is.
  function el(ref) {
    const known = refs.get(ref);
    if (!known) throw new Error(`Unknown ref "${ref}". Run a new snapshot and use a ref from that snapshot.`);
    const own = known.el.deref();
    if (own?.isConnected) return own;
    let found = null;
    const seen = new Map();
    each(tree(document.body), (node) => {
      if (!isReferred(node, known.form)) return;
      const key = node.kind + '\n' + node.name;
      const nth = seen.get(key) || 0;
      seen.set(key, nth + 1);
      if (!found && node.kind === known.kind && node.name === known.name && nth === known.nth) found = node.el;
    });
    if (!found) throw new Error(`The element of ref "${ref}" is gone. Run a new snapshot and use a ref from that snapshot.`);
    known.el = new WeakRef(found);
    numbers.set(found, Number(ref.slice(1)));
    return found;
  }

  function within(outer, inner) {
    for (let at = inner; at; at = at.parentNode || at.host) if (at === outer) return true;
    return false;
  }

  const told = (e) => `<${e.tagName.toLowerCase()}${e.id ? ' id=' + e.id : ''}${typeof e.className === 'string' && e.className ? ' class="' + cut(e.className, 60) + '"' : ''}>`;

  // Whether an element can be acted on now, and where; else why not.
  function ready(ref, isLight) {
    const it = el(ref);
    if (it.tagName === 'OPTION') return {why: 'it is an option: use select with the list'};
    if (!shown(it)) return {why: 'it is not visible'};
    if (!isLight && off(it)) return {why: 'it is disabled'};
    const first = () => [...it.getClientRects()].find((r) => r.width > 0 && r.height > 0);
    let r = first();
    // What is in sight stays where it is: another element may have been found there just now.
    if (r && (r.top < 0 || r.left < 0 || r.bottom > innerHeight || r.right > innerWidth)) {
      it.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
      r = first();
    }
    if (!r) return {why: 'it has no size'};
    const x = (Math.max(r.left, 0) + Math.min(r.right, innerWidth)) / 2, y = (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2;
    let hit = document.elementFromPoint(x, y);
    while (hit?.shadowRoot) { const inner = hit.shadowRoot.elementFromPoint(x, y); if (!inner || inner === hit) break; hit = inner; }
    const label = hit?.closest?.('label');
    if (!isLight && !(hit && (within(it, hit) || (label && (label.control === it || within(label, it)))))) {
      return {why: hit ? 'it is covered by ' + told(hit) : 'it lies outside of what can be seen'};
    }
    return {x, y, width: r.width, height: r.height};
  }

  const tell = (it, ...names) => names.forEach((n) => it.dispatchEvent(new Event(n, {bubbles: true, composed: true})));

  function put(it, value) {
    const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(it), 'value');
    own?.set ? own.set.call(it, value) : (it.value = value);
    tell(it, 'input', 'change');
  }

  // Makes ready for text that is typed then ('type'), or sets what nobody types ('set').
  function fill(ref, value) {
    const it = el(ref);
    if (!shown(it)) return {why: 'it is not visible'};
    if (off(it)) return {why: 'it is disabled'};
    if (it.readOnly) return {why: 'it is read-only'};
    if (it.tagName === 'SELECT') { const wrong = select(ref, [value]); return wrong || {how: 'set'}; }
    if (it.tagName === 'INPUT' && (it.type === 'checkbox' || it.type === 'radio')) { check(ref, ['true', '1', 'on', 'yes'].includes(String(value))); return {how: 'set'}; }
    const isText = it.tagName === 'TEXTAREA' || (it.tagName === 'INPUT' && !['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range', 'file'].includes(it.type));
    if (it.tagName === 'INPUT' && it.type === 'file') throw new Error('it takes files: use upload');
    if (it.tagName === 'INPUT' && !isText) {
      put(it, value);
      if (it.value !== value && it.type !== 'range' && it.type !== 'color') throw new Error(`it does not take ${JSON.stringify(value)} as its ${it.type}`);
      return {how: 'set'};
    }
    it.focus();
    if (isText) it.select();
    else if (it.isContentEditable) getSelection().selectAllChildren(it);
    else throw new Error(told(it) + ' takes no text');
    return {how: 'type'};
  }

  function select(ref, values) {
    const it = el(ref);
    if (it.tagName !== 'SELECT') throw new Error(told(it) + ' is no list to choose from: click it and its options');
    if (off(it)) return {why: 'it is disabled'};
    const wanted = values.map(String);
    const options = [...it.options];
    const meant = wanted.map((w) => options.find((o) => o.value === w) || options.find((o) => tidy(o.label) === tidy(w)));
    const missing = wanted.filter((_, at) => !meant[at]);
    if (missing.length) throw new Error(`there is no option ${missing.map((m) => JSON.stringify(m)).join(', ')}: use one of ${cut(options.map((o) => JSON.stringify(tidy(o.label))).join(', '), 500)}`);
    if (it.multiple) options.forEach((o) => { o.selected = meant.includes(o); });
    else meant[0].selected = true;
    it.focus();
    tell(it, 'input', 'change');
    return null;
  }

  function check(ref, want) {
    const it = el(ref);
    const is = () => 'checked' in it ? it.checked : attr(it, 'aria-checked') === 'true';
    if (is() !== want) it.click();
    if (is() !== want) throw new Error('it does not change');
  }

  const seen = (text) => tidy(document.body?.innerText || '').includes(tidy(text));

  function rect(css) {
    const it = document.querySelector(css);
    if (!it) throw new Error('no element matches the selector ' + css);
    it.scrollIntoView({block: 'center', behavior: 'instant'});
    const r = it.getBoundingClientRect();
    return {x: r.x, y: r.y, width: r.width, height: r.height};
  }

  function mark(ref) {
    const it = el(ref);
    const [old, at] = [it.style.outline, it.style.outlineOffset];
    it.scrollIntoView({block: 'center', behavior: 'instant'});
    it.style.outline = '3px solid #FF4500';
    it.style.outlineOffset = '2px';
    setTimeout(() => { it.style.outline = old; it.style.outlineOffset = at; }, 3000);
  }

  const visible = (css) => { const it = document.querySelector(css); return Boolean(it && shown(it)); };
  const weight = () => document.getElementsByTagName('*').length + (document.documentElement?.textContent.length || 0) / 100;

  globalThis.oc = {snapshot, el, ready, fill, select, check, seen, visible, rect, mark, weight, focus: (ref) => el(ref).focus(), scroll: (ref) => el(ref).scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'})};
})();

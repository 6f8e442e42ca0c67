// What a message is written in: text that grows, pictures by paste, drop and choice, commands after a slash.
import { h, fill, iconButton, toast } from './dom.js';

const MOST_BYTES = 5 << 20;
const KINDS = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** What was begun and not sent, by conversation: it outlives the page's other parts, and its words a reload. */
const DRAFTS = 'openclaw.drafts';
const drafts = new Map(kept());

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFTS) || '[]').map(([key, text]) => [key, { text, images: [] }]);
  } catch {
    return [];
  }
}

export function composer({ send, stop }) {
  let key = '';
  let commands = [];
  let images = [];
  let chosen = 0;
  let found = [];

  const text = h('textarea', {
    rows: 1, placeholder: 'Message', 'aria-label': 'Message', 'aria-autocomplete': 'list', 'aria-controls': 'slash', autocomplete: 'off',
    oninput: () => { grow(); suggest(); }, onkeydown: keys, onpaste: paste, onblur: () => setTimeout(() => suggest(true), 150),
  });
  const file = h('input', { type: 'file', accept: KINDS.join(), multiple: true, hidden: true, tabindex: -1, 'aria-hidden': 'true',
    onchange: () => { take(file.files); file.value = ''; } });
  const shelf = h('div.shelf', { hidden: true });
  const menu = h('ul.slash', { id: 'slash', role: 'listbox', 'aria-label': 'Commands', hidden: true });
  const halt = iconButton('stop', 'Stop the answer (Escape)', stop, { class: 'halt', hidden: true });
  const go = iconButton('send', 'Send', submit, { class: 'go' });
  const root = h('form.composer', { onsubmit: (e) => { e.preventDefault(); submit(); } }, menu, shelf,
    h('div.composer-line', null, iconButton('attach', 'Add a picture', () => file.click()), file, text, halt, go));

  root.addEventListener('dragover', (e) => { e.preventDefault(); root.classList.add('over'); });
  root.addEventListener('dragleave', () => root.classList.remove('over'));
  root.addEventListener('drop', (e) => { e.preventDefault(); root.classList.remove('over'); take(e.dataTransfer.files); });

  function grow() {
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight, 220)}px`;
  }

  function keys(e) {
    if (!menu.hidden) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (step) {
        e.preventDefault();
        chosen = (chosen + step + found.length) % found.length;
        return drawMenu();
      }
      if (e.key === 'Tab' || (e.key === 'Enter' && text.value.trim() !== `/${found[chosen].name}`)) {
        e.preventDefault();
        return pick(found[chosen]);
      }
      if (e.key === 'Escape') {
        e.preventDefault();
        return suggest(true);
      }
    }
    // A keyboard of glass has no Shift-Enter, but a button beside it.
    const sends = !matchMedia('(pointer: coarse)').matches;
    if (e.key === 'Enter' && sends && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      submit();
    } else if (e.key === 'Escape' && !halt.hidden) {
      stop();
    }
  }

  function suggest(never) {
    const word = /^\/([a-z]*)$/i.exec(text.value);
    found = word && !never ? commands.filter((c) => c.name.startsWith(word[1].toLowerCase())) : [];
    chosen = 0;
    drawMenu();
  }

  function drawMenu() {
    menu.hidden = !found.length;
    fill(menu, found.map((c, n) => h('li', {
      id: `slash-${n}`, role: 'option', 'aria-selected': n === chosen ? 'true' : 'false', onmousedown: (e) => { e.preventDefault(); pick(c); },
    }, h('b', null, `/${c.name}`), c.args && h('span.muted', null, c.args), h('span.slash-doc', null, c.description))));
    if (found.length) text.setAttribute('aria-activedescendant', `slash-${chosen}`);
    else text.removeAttribute('aria-activedescendant');
    menu.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }

  function pick(c) {
    text.value = `/${c.name}${c.args ? ' ' : ''}`;
    text.focus();
    suggest(true);
    grow();
  }

  function paste(e) {
    const files = [...(e.clipboardData?.files || [])].filter((f) => KINDS.includes(f.type));
    if (!files.length) return;
    e.preventDefault();
    take(files);
  }

  function take(files) {
    for (const one of files) {
      if (!KINDS.includes(one.type)) toast(`${one.name} is no picture that models read (PNG, JPEG, GIF, WebP).`, 'bad');
      else if (one.size > MOST_BYTES) toast(`${one.name} is larger than 5 MiB.`, 'bad');
      else read(one);
    }
  }

  function read(one) {
    const reader = new FileReader();
    reader.onload = () => {
      const content = reader.result.slice(reader.result.indexOf(',') + 1);
      images.push({ content, mimeType: one.type, fileName: one.name || 'picture', url: reader.result });
      drawShelf();
    };
    reader.readAsDataURL(one);
  }

  function drawShelf() {
    shelf.hidden = !images.length;
    fill(shelf, images.map((image) => h('figure', null, h('img', { src: image.url, alt: image.fileName }),
      iconButton('close', `Remove ${image.fileName}`, () => { images = images.filter((i) => i !== image); drawShelf(); text.focus(); }))));
  }

  function submit() {
    const words = text.value.trim();
    if (!words && !images.length) return;
    const sent = images;
    text.value = '';
    images = [];
    keep();
    drawShelf();
    suggest(true);
    grow();
    send(words, sent);
    text.focus();
  }

  function keep() {
    if (!key) return;
    if (text.value.trim() || images.length) drafts.set(key, { text: text.value, images });
    else drafts.delete(key);
    try {
      sessionStorage.setItem(DRAFTS, JSON.stringify([...drafts].map(([of, draft]) => [of, draft.text])));
    } catch {
      // Without a store, or where it is full, they last as long as the page.
    }
  }

  addEventListener('pagehide', keep);
  return {
    root,
    leave: () => { keep(); removeEventListener('pagehide', keep); },
    focus: () => text.focus(),
    busy: (is) => { halt.hidden = !is; text.placeholder = is ? 'Message (waits its turn)' : 'Message'; },
    commands: (list) => { commands = list; },
    /** Another conversation: each keeps what was begun. */
    open: (next) => {
      keep();
      key = next;
      const draft = drafts.get(key);
      text.value = draft?.text || '';
      images = draft?.images || [];
      drawShelf();
      halt.hidden = true;
      text.placeholder = 'Message';
      grow();
      if (matchMedia('(hover: hover)').matches) text.focus();
    },
  };
}

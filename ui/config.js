// Config: every setting as a form with its words and default, and the file's own text. Nothing is written before it was
// shown what changes in the text and what the gateway does about it.
import { h, fill, head, button, select, dialog, confirm, attempt, toast, empty, icon } from './dom.js';
import { wire } from './wire.js';

const HIDDEN = '__OPENCLAW_REDACTED__';

export function mount(root, app, arg) {
  const view = new Settings(root, app);
  view.tab = arg === 'text' ? 'text' : 'form';
  view.load();
  const off = wire.on('open', () => view.schema || view.load());
  const changed = wire.on('config.changed', () => view.outside());
  return { arg: (name) => view.show(name === 'text' ? 'text' : 'form'), unsaved: () => view.unsaved(), discard: () => view.discard(), leave: () => { off(); changed(); } };
}

class Settings {
  constructor(root, app) {
    this.app = app;
    this.changes = new Map();
    /** By its name what was typed and is no value: its words, and why. */
    this.wrong = new Map();
    this.text = null;
    this.section = null;
    this.form = button('Form', () => app.go('config'), { role: 'tab', id: 'tab-form', 'aria-controls': 'config-body' });
    this.plain = button('Text', () => app.go('config', 'text'), { role: 'tab', id: 'tab-text', 'aria-controls': 'config-body' });
    this.notes = h('div');
    this.body = h('div', { id: 'config-body', role: 'tabpanel' }, h('p.muted', null, 'Loading…'));
    this.bar = h('div.savebar', { hidden: true });
    fill(root, head('Config', null), this.notes, h('div.tabs', { role: 'tablist', 'aria-label': 'How to edit' }, this.form, this.plain), this.body, this.bar);
  }

  async load() {
    if (!wire.isOpen) return;
    try {
      const [now, schema] = await Promise.all([wire.call('config.get'), this.schema || wire.call('config.schema')]);
      this.now = now;
      this.schema = schema;
      this.show(this.tab);
    } catch (e) {
      fill(this.body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  }

  /** Somebody else wrote the file. */
  async outside() {
    if (!this.now || this.saving) return;
    const now = await wire.call('config.get').catch(() => null);
    if (!now || now.hash === this.now.hash) return;
    if (!this.unsaved()) {
      this.now = now;
      return this.show(this.tab);
    }
    toast('The file was changed elsewhere meanwhile. Your changes are kept here; saving asks for a fresh look first.', 'bad');
  }

  show(tab) {
    this.tab = tab;
    if (!this.now) return;
    for (const [name, node] of [['form', this.form], ['text', this.plain]]) {
      node.setAttribute('aria-selected', String(name === tab));
      node.tabIndex = name === tab ? 0 : -1;
    }
    this.body.setAttribute('aria-labelledby', `tab-${tab}`);
    const issue = (i, kind) => h('div.outcome', { class: kind }, icon('warn'), h('span', null, h('b', null, i.path || 'file'), ` ${i.message}`));
    fill(this.notes, (this.now.issues || []).map((i) => issue(i, 'bad')), (this.now.warnings || []).map((i) => issue(i, '')));
    if (tab === 'text') this.drawText();
    else this.drawForm();
    this.drawBar();
  }

  drawText() {
    const area = h('textarea.code', { rows: 28, spellcheck: 'false', 'aria-label': 'The configuration file', oninput: () => {
      this.text = area.value === (this.now.raw || '') ? null : area.value;
      this.drawBar();
    } });
    area.value = this.text ?? this.now.raw ?? '';
    fill(this.body, h('p.hint', null, h('code', null, this.now.path), `  JSON5: comments are kept. ${HIDDEN} stands for a secret; leave it and the secret stays.`), area);
  }

  drawForm() {
    const top = this.schema.schema.properties || {};
    const names = Object.keys(top).filter((name) => !['$schema', 'meta', 'wizard'].includes(name));
    this.section ??= names.includes('agents') ? 'agents' : names[0];
    const search = h('input', { type: 'search', placeholder: 'Search all settings', 'aria-label': 'Search all settings', oninput: () => draw() });
    const list = h('ul', { 'aria-label': 'Sections' });
    const place = h('div');
    const draw = () => {
      const words = search.value.trim().toLowerCase();
      const has = (name) => at(this.now.parsed, [name]) !== undefined;
      fill(list, names.map((name) => h('li', null, button([name, has(name) && h('span.dot.ok', { title: 'set in the file' })],
        () => { this.section = name; search.value = ''; draw(); }, { 'aria-current': !words && name === this.section ? 'true' : null }))));
      if (words) return fill(place, this.found(top, words));
      fill(place, h('p.muted', null, top[this.section].description || ''), this.group([this.section], top[this.section], true));
    };
    fill(this.body, search, h('div.split', null, list, place));
    this.redraw = draw;
    draw();
  }

  /** All settings whose path or words hold what is looked for. */
  found(top, words) {
    const rows = [];
    const walk = (path, schema) => {
      if (rows.length > 60) return;
      const name = path.join('.').toLowerCase();
      if (isGroup(schema)) for (const [key, inner] of Object.entries(schema.properties)) walk([...path, key], inner);
      else if (name.includes(words) || (schema.description || '').toLowerCase().includes(words)) rows.push(this.setting(path, schema, true));
    };
    for (const [key, schema] of Object.entries(top)) walk([key], schema);
    return rows.length ? rows : empty('No setting fits.');
  }

  group(path, schema, isTop) {
    const entries = Object.entries(schema.properties || {});
    const plain = entries.filter(([, s]) => !isGroup(s));
    const nested = entries.filter(([, s]) => isGroup(s));
    const inner = [plain.map(([key, s]) => this.setting([...path, key], s)), nested.map(([key, s]) => this.group([...path, key], s))];
    if (!entries.length) inner.push(this.setting(path, schema));
    if (isTop) return h('div', null, inner);
    const title = path.slice(1).join('.');
    return h('section.group', { 'aria-label': title }, h('h3', null, title), schema.description && h('p.hint', null, schema.description), inner);
  }

  /** One row: its name, words and control. */
  setting(path, schema, isFull) {
    const name = path.join('.');
    const written = at(this.now.parsed, path);
    const value = this.changes.has(name) ? this.changes.get(name).value : written;
    const id = `s-${name}`;
    const isChanged = () => this.changes.has(name) || this.wrong.has(name);
    const set = (next, wrong) => {
      this.wrong.delete(name);
      if (wrong) this.wrong.set(name, wrong);
      // Nor is what was right before that a value that anybody wants.
      if (wrong || same(next, written)) this.changes.delete(name);
      else this.changes.set(name, { path, value: next, written });
      row.classList.toggle('changed', isChanged());
      this.drawBar();
    };
    const input = control(schema, value, set, this.schema.uiHints?.[name]?.sensitive, this.wrong.get(name));
    input.id = id;
    input.setAttribute('aria-describedby', `${id}-h`);
    const reset = value !== undefined && button('Take out', () => { set(undefined); row.replaceWith(this.setting(path, schema, isFull)); }, { class: 'quiet', title: 'The default holds again' });
    const standard = schema.default !== undefined ? `Default: ${JSON.stringify(schema.default)}` : '';
    const unit = schema.unit ? ` In ${schema.unit}.` : '';
    const row = h('div.setting', { class: isChanged() ? 'changed' : null },
      h('div', null, h('label.name', { for: id }, isFull ? name : path.at(-1)),
        h('p.hint', { id: `${id}-h` }, [schema.description && `${schema.description}.`, unit, standard].filter(Boolean).join(' '))),
      h('div.control', null, input, reset));
    return row;
  }

  unsaved() {
    if (this.text !== null) return 'The text was changed.';
    const n = this.edited();
    return n ? `${n} ${n === 1 ? 'setting is' : 'settings are'} changed.` : '';
  }

  edited = () => this.changes.size + this.wrong.size;

  discard() {
    this.changes.clear();
    this.wrong.clear();
    this.text = null;
  }

  drawBar() {
    const n = this.tab === 'text' ? Number(this.text !== null) : this.edited();
    this.bar.hidden = !n;
    if (!n) return;
    fill(this.bar, h('p', { role: 'status' }, this.tab === 'text' ? 'The text was changed.' : `${n} ${n === 1 ? 'setting' : 'settings'} changed.`),
      button('Discard', () => { this.discard(); this.load(); }),
      button('Review and save…', () => this.review(), { class: 'primary' }));
  }

  /** What the file would be, and what the gateway would do: then it is written, or not. */
  async review(force) {
    if (this.tab === 'form' && this.wrong.size) {
      const lines = [...this.wrong].map(([name, { why }]) => h('div.outcome.bad', { role: 'alert' }, icon('warn'), h('span', null, h('b', null, name), ` ${why}`)));
      return dialog('This cannot be written', lines, [['Back', null, 'primary']]);
    }
    const wants = this.tab === 'text' ? { raw: this.text } : { patch: JSON.stringify(patchOf(this.changes.values())) };
    let plan;
    try {
      plan = await wire.call('config.plan', { ...wants, baseHash: this.now.hash, ...(force ? { force } : {}) });
    } catch (e) {
      if (e.details?.code === 'FORCE_REQUIRED') {
        if (await confirm('Lose most of the file?', e.message, 'Go on')) return this.review(true);
        return;
      }
      if (/changed since last load/.test(e.message)) {
        if (await confirm('The file was changed elsewhere', 'Look at it as it is now? What you changed in the form is kept and can be reviewed against it.', 'Read it again', 'primary')) await this.load();
        return;
      }
      return dialog('This cannot be written', h('div.outcome.bad', { role: 'alert' }, e.message), [['Back', null, 'primary']]);
    }
    const effects = [
      plan.restart.length > 0 && h('div.outcome', null, icon('restart'), h('span', null, 'The gateway restarts in place for: ', h('b', null, plan.restart.join(', ')))),
      plan.live.length > 0 && h('div.outcome', null, icon('check'), h('span', null, 'In force at once: ', h('b', null, plan.live.join(', ')))),
      plan.unread?.length > 0 && h('div.outcome.bad', null, icon('warn'), h('span', null, 'Nothing in this version reads, so that nothing comes of it: ', h('b', null, plan.unread.join(', ')), '. Is it spelt so?')),
      !plan.restart.length && !plan.live.length && !plan.unread?.length && h('p.muted', null, 'Nothing that the gateway goes by changes.'),
    ];
    const sure = await dialog('Save these changes?', [effects, diff(this.now.raw || '', plan.raw)], [['Back', null], ['Save', true, 'primary']]);
    if (!sure) return;
    this.saving = true;
    const done = await attempt(() => wire.call('config.set', { raw: plan.raw, baseHash: this.now.hash, ...(force ? { force } : {}) }),
      plan.restart.length ? 'Saved. The gateway restarts.' : 'Saved.');
    this.saving = false;
    if (!done) return;
    this.discard();
    await this.load();
  }
}

const at = (value, path) => path.reduce((v, name) => (v && typeof v === 'object' ? v[name] : undefined), value);
/** What may be something else than its members, such as a model or its name, is one setting. */
const isGroup = (schema) => schema.properties && !Array.isArray(schema.type);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** A merge patch: what is taken out is null. */
function patchOf(changes) {
  const patch = {};
  for (const { path, value } of changes) {
    let here = patch;
    for (const name of path.slice(0, -1)) here = here[name] ??= {};
    here[path.at(-1)] = value === undefined ? null : value;
  }
  return patch;
}

/** What a setting is edited with, by its schema. `wrong` was typed before and is no value. */
function control(schema, value, set, isSecret, wrong) {
  if (wrong) return json(schema, value, set, wrong);
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
  const standard = schema.default;
  if (schema.enum || type === 'boolean') {
    const choices = (schema.enum || [true, false]).map((v) => [JSON.stringify(v), String(v)]);
    const none = ['', standard === undefined ? '(not set)' : `(default: ${standard})`];
    return select([none, ...choices], value === undefined ? '' : JSON.stringify(value), (v) => set(v === '' ? undefined : JSON.parse(v)));
  }
  if (['integer', 'number'].includes(type) && (value === undefined || typeof value === 'number')) {
    return h('input', { type: 'number', value: value ?? '', min: schema.minimum, max: schema.maximum, step: type === 'integer' ? 1 : 'any', placeholder: standard ?? '',
      // What is no number has no value either, and its words are the browser's.
      oninput: (e) => e.target.validity.badInput ? set(undefined, { text: '', why: 'is no number.' }) : set(e.target.value === '' ? undefined : Number(e.target.value)) });
  }
  if (type === 'string' && (value === undefined || typeof value === 'string')) {
    const isHidden = isSecret && value === HIDDEN;
    return h('input', { type: isSecret ? 'password' : 'text', autocomplete: 'off', spellcheck: 'false', value: isHidden ? '' : value ?? '',
      placeholder: isHidden ? '•••••••• (set; type to replace it)' : standard ?? '',
      oninput: (e) => set(e.target.value === '' ? (isHidden ? HIDDEN : undefined) : e.target.value) });
  }
  const isTexts = type === 'array' && schema.items?.type === 'string' && (value === undefined || (Array.isArray(value) && value.every((v) => typeof v === 'string')));
  if (isTexts) {
    const area = h('textarea', { rows: Math.min(6, Math.max(2, (value || []).length + 1)), spellcheck: 'false', placeholder: 'one a line',
      oninput: () => { const lines = area.value.split('\n').map((l) => l.trim()).filter(Boolean); set(lines.length ? lines : undefined); } });
    area.value = (value || []).join('\n');
    return area;
  }
  return json(schema, value, set);
}

/** What only its text can say. What is no JSON is no value, but kept. */
function json(schema, value, set, wrong) {
  const text = wrong?.text ?? (value === undefined ? '' : JSON.stringify(value, null, 2));
  const show = (why) => {
    area.setCustomValidity(why);
    area.setAttribute('aria-invalid', String(Boolean(why)));
  };
  const area = h('textarea.code', { rows: Math.min(12, Math.max(2, text.split('\n').length)), spellcheck: 'false', placeholder: [schema.type].flat().includes('array') ? '[ ]' : '{ }',
    oninput: () => {
      let next;
      try {
        next = area.value.trim() ? JSON.parse(area.value) : undefined;
      } catch (e) {
        const why = `is no JSON: ${e.message}`;
        show(why);
        return set(undefined, { text: area.value, why });
      }
      show('');
      set(next);
    } });
  area.value = text;
  if (wrong) show(wrong.why);
  return area;
}

/** The lines that differ between two texts, with two lines around each. */
function diff(before, after) {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let [from, endA, endB] = [0, a.length, b.length];
  while (from < endA && from < endB && a[from] === b[from]) from++;
  while (endA > from && endB > from && a[endA - 1] === b[endB - 1]) { endA--; endB--; }
  const lines = longest(a.slice(from, endA), b.slice(from, endB));
  const near = (list, start, n) => list.slice(Math.max(0, start), start + n).map((l) => [' ', l]);
  const all = [...near(a, from - 2, Math.min(2, from)), ...lines, ...near(a, endA, 2)];
  const kinds = { '+': 'new', '-': 'old' };
  return h('div.diff', { tabindex: 0, role: 'region', 'aria-label': 'Changes of the text' }, all.map(([sign, line]) => h('div', { class: kinds[sign] || null }, `${sign} ${line}`)));
}

/** Both texts merged along what they have in common. */
function longest(a, b) {
  if (a.length * b.length > 250000) return [...a.map((l) => ['-', l]), ...b.map((l) => ['+', l])];
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  }
  const out = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { out.push([' ', a[i]]); i++; j++; }
    else if (j >= b.length || (i < a.length && table[i + 1][j] >= table[i][j + 1])) out.push(['-', a[i++]]);
    else out.push(['+', b[j++]]);
  }
  return out;
}

// Elements, icons, dialogs and words for numbers. Whatever others wrote becomes text, never HTML: nothing here takes any.

/** An element: h('button.small', { onclick }, 'Save'). A property that is null, undefined or false is left out. */
export function h(tag, props, ...kids) {
  const [name, ...classes] = tag.split('.');
  const node = document.createElement(name || 'div');
  if (classes.length) node.className = classes.join(' ');
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'class') node.className += ` ${value}`;
    else if (['value', 'checked', 'disabled', 'selected', 'indeterminate'].includes(key)) node[key] = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  return add(node, kids);
}

export function add(node, ...kids) {
  for (const kid of kids.flat(9)) if (kid !== null && kid !== undefined && kid !== false) node.append(kid);
  return node;
}

/** Replaces what a node holds. */
export function fill(node, ...kids) {
  node.replaceChildren();
  return add(node, kids);
}

const PATHS = {
  chat: 'M4 5h16v11H9l-5 4z',
  overview: 'M4 14a8 8 0 1 1 16 0M12 14l4-5M4 18h16',
  channels: 'M5 4h9v7H8l-3 3zM10 15h6l3 3v-8h-2',
  devices: 'M3 5h12v9H3zM7 18h4M17 9h4v10h-4z',
  cron: 'M12 4a8 8 0 1 0 .01 0M12 8v4l3 2',
  approvals: 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4',
  agents: 'M12 4a4 4 0 1 0 .01 0M5 20c0-4 3-6 7-6s7 2 7 6',
  config: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  logs: 'M5 5h14M5 10h14M5 15h9M5 20h6',
  usage: 'M5 20V11M12 20V4M19 20v-6',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  send: 'M12 20V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  search: 'M11 5a6 6 0 1 0 .01 0M16 16l4 4',
  attach: 'M4 6h16v12H4zM8 11a1 1 0 1 0 .01 0M4 16l5-4 4 3 3-2 4 3',
  check: 'M5 13l4 4L19 7',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  down: 'M12 5v14M6 13l6 6 6-6',
  left: 'M14 6l-6 6 6 6',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  tool: 'M14 6a4 4 0 0 1 5 5l-3-2-2 2 2 3a4 4 0 0 1-5-5L4 18l2 2 7-7',
  theme: 'M12 4a8 8 0 1 0 .01 0M12 4v16',
  restart: 'M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5',
  key: 'M8 11a4 4 0 1 0 .01 0M11 13l9-9M16 8l3 3',
};

function drawn(kind, size, d) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('class', kind);
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', d);
  svg.append(path);
  return svg;
}

export const icon = (name) => drawn('icon', 24, PATHS[name] || '');

/** The program's mark, as in icon.svg. */
export const mark = () => drawn('mark', 64, 'M19 46c-6-12-3-25 8-31M32 49c-4-12-1-23 8-31M45 47c-2-9 0-17 5-23');

/** A button of an icon alone, with its name for who cannot see it. */
export function iconButton(name, label, onclick, props) {
  return h('button.bare', { type: 'button', 'aria-label': label, title: label, onclick, ...props }, icon(name));
}

export function button(label, onclick, props) {
  return h('button', { type: 'button', onclick, ...props }, label);
}

/** A labelled input, select or textarea. `hint` stands below and is read with it. */
let fields = 0;
export function field(label, control, hint) {
  const id = `f${++fields}`;
  control.id = id;
  if (hint) control.setAttribute('aria-describedby', `${id}h`);
  return h('div.field', null, h('label', { for: id }, label), control, hint && h('p.hint', { id: `${id}h` }, hint));
}

export function select(options, chosen, onchange, props) {
  const make = ([value, label]) => h('option', { value, selected: value === chosen }, label);
  return h('select', { ...props, onchange: onchange && ((e) => onchange(e.target.value, e)) }, options.map(make));
}

/** A command for a terminal, with a button that copies it. */
export function command(text) {
  const copy = iconButton('copy', 'Copy the command', () => copied(text));
  return h('div.command', null, h('code', null, text), copy);
}

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied.');
  } catch {
    toast('The browser does not let this page copy: select the text instead.', 'bad');
  }
}

/** A short message at the edge, read aloud. */
export function toast(text, kind) {
  const box = document.getElementById('toasts');
  if (!box) return;
  const note = h('div.toast', { class: kind || '' }, text, iconButton('close', 'Dismiss', () => note.remove()));
  box.append(note);
  if (kind !== 'bad') setTimeout(() => note.remove(), 5000);
  while (box.children.length > 4) box.firstChild.remove();
}

/** Runs what may fail; a failure is shown. Gives whether it went well. */
export async function attempt(work, done) {
  try {
    await work();
    if (done) toast(done, 'ok');
    return true;
  } catch (e) {
    toast(e.message, 'bad');
    return false;
  }
}

/** Asks whether what is being edited, told in these words, may be lost. */
export const mayBeLost = (words) => confirm('Leave without saving?', `${words} It is lost if you go on.`, 'Leave');
export const ENTERED = 'What you entered is not saved.';

/** A modal dialog. `actions` are [label, value, class, may]; gives the value chosen, or null. While `may` says no it stays open. */
export function dialog(title, body, actions) {
  return new Promise((resolve) => {
    let chosen = null;
    const id = `d${++fields}`;
    const make = ([label, value, kind, may]) =>
      button(label, async () => { if (may && !await may()) return; chosen = value; box.close(); }, { class: kind || '' });
    const box = h('dialog', { 'aria-labelledby': id },
      h('h2', { id }, title), h('div.dialog-body', null, body),
      h('div.actions', null, actions.map(make)));
    box.addEventListener('close', () => { box.remove(); resolve(chosen); });
    box.addEventListener('input', () => { box.dataset.touched = ''; });
    // By the key too, for a browser may close at the second Escape without having asked.
    const given = async (e) => {
      if (!('touched' in box.dataset)) return;
      e.preventDefault();
      if (await mayBeLost(ENTERED)) box.close();
    };
    box.addEventListener('cancel', (e) => { if (e.target === box) given(e); });
    box.addEventListener('keydown', (e) => { if (e.key === 'Escape' && !e.isComposing) given(e); });
    document.body.append(box);
    box.showModal();
  });
}

export const confirm = (title, text, label, kind = 'danger') =>
  dialog(title, h('p', null, text), [['Cancel', null], [label, true, kind]]);

/** Asks for one line; null when it was given up. */
export async function ask(title, label, value, action = 'Save', hint) {
  const input = h('input', { value: value || '', autofocus: true });
  input.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.isComposing) return;
    // Whatever has the focus behind the dialog is not pressed by the same key.
    e.preventDefault();
    input.closest('dialog').querySelector('.actions .primary').click();
  });
  const said = await dialog(title, field(label, input, hint), [['Cancel', null], [action, true, 'primary']]);
  return said ? input.value.trim() : null;
}

/** Whether somebody is at something in this part of the page, which must not be drawn anew under his hands. */
export const isUsed = (node) => node.contains(document.activeElement) || Boolean(document.querySelector('dialog[open]'));

const SPANS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** A time in its two largest units, or in all of them. */
export function duration(ms, isExact) {
  let left = isExact ? ms / 1000 : Math.round(ms / 1000);
  const parts = [];
  for (const [unit, span] of SPANS) {
    const n = span > 1 ? Math.floor(left / span) : Number(left.toFixed(3));
    left -= n * span;
    if (n || parts.length) parts.push([n, unit]);
  }
  const shown = isExact ? parts : parts.slice(0, 2);
  return shown.filter(([n]) => n).map(([n, unit]) => `${n} ${unit}`).join(' ') || '0 s';
}

export function ago(ms) {
  if (!ms) return 'never';
  const past = Date.now() - ms;
  const whole = (time) => duration(time < 60000 ? time : time - (time % 60000));
  if (past < -1000) return `in ${whole(-past)}`;
  return past < 45000 ? 'just now' : `${whole(past)} ago`;
}

/** A moment as an element: how long ago, the exact time on demand. */
export function moment(ms) {
  if (!ms) return h('span.muted', null, 'never');
  const at = new Date(ms);
  return h('time', { datetime: at.toISOString(), title: at.toLocaleString() }, ago(ms));
}

export const bytes = (n) =>
  n >= 1 << 30 ? `${(n / (1 << 30)).toFixed(1)} GiB` : n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MiB`
    : n >= 1024 ? `${(n / 1024).toFixed(1)} KiB` : `${n} B`;

export const count = (n) =>
  n >= 1e6 ? `${(n / 1e6).toFixed(1)}M` : n >= 1e4 ? `${Math.round(n / 1e3)}k` : n >= 1e3 ? `${(n / 1e3).toFixed(1)}k` : `${n ?? 0}`;

export const money = (n) => (n > 0 && n < 0.0001 ? '<$0.0001' : n >= 100 ? `$${Math.round(n)}` : n >= 0.1 || !n ? `$${(n || 0).toFixed(2)}` : `$${n.toFixed(4)}`);

/** A word in a coloured pill: ok, warn, bad or nothing. */
export const pill = (text, kind) => h('span.pill', { class: kind || '' }, text);

export const empty = (text, more) => h('div.empty', null, h('p', null, text), more);

/** What stands at the top of a page. */
export function head(title, about, ...actions) {
  return h('header.page-head', null,
    h('div', null, h('h1', { tabindex: -1 }, title), about && h('p.muted', null, about)),
    actions.length > 0 && h('div.actions', null, actions));
}

export const card = (title, ...kids) => h('section.card', { 'aria-label': title }, title && h('h2', null, title), kids);

// Logs: the end of the gateway's log file, followed, with a filter.
import { h, fill, head, button, select, toast } from './dom.js';
import { wire } from './wire.js';

const EVERY = 1500;
const MOST = 3000;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export function mount(root) {
  let cursor = null;
  let lines = [];
  let follows = true;
  let least = 'info';
  let busy = false;
  const search = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter lines', oninput: () => draw() });
  const box = h('div.log', { role: 'log', 'aria-label': 'Log lines', 'aria-live': 'off', tabindex: 0 });
  const following = h('input', { type: 'checkbox', checked: true, id: 'follow', onchange: () => { follows = following.checked; if (follows) toEnd(); } });
  const file = h('p.muted.mono');
  fill(root, head('Logs', null,
    search, select(LEVELS.slice(1, 5).map((l) => [l, l === 'debug' ? 'all levels' : `${l} and worse`]), least, (l) => { least = l; draw(); }, { 'aria-label': 'Level' }),
    h('label.row', { for: 'follow' }, following, 'Follow'), button('Save', save)), box, file);

  async function load() {
    if (!wire.isOpen || busy || document.hidden) return;
    busy = true;
    try {
      const got = await wire.call('logs.tail', { limit: 1000, maxBytes: 400000, ...(cursor !== null ? { cursor } : {}) });
      if (got.reset) lines = [];
      cursor = got.cursor;
      file.textContent = got.file || '';
      const fresh = got.lines.map(parse);
      lines.push(...fresh);
      const tooMany = lines.length - MOST;
      if (tooMany > 0) lines = lines.slice(tooMany);
      if (got.reset || tooMany > 0) draw();
      else for (const line of fresh) if (fits(line)) box.append(row(line));
      if (fresh.length && follows) toEnd();
      if (!lines.length) fill(box, h('p.muted.centre', null, 'Nothing is in the log yet.'));
    } catch (e) {
      if (!lines.length) fill(box, h('p.muted.centre', { role: 'alert' }, e.message));
    }
    busy = false;
  }

  const fits = (line) => {
    const words = search.value.trim().toLowerCase();
    return LEVELS.indexOf(line.level) >= LEVELS.indexOf(least) && (!words || `${line.part} ${line.text}`.toLowerCase().includes(words));
  };

  function draw() {
    const shown = lines.filter(fits);
    fill(box, shown.length ? shown.map(row) : h('p.muted.centre', null, 'No line fits the filter.'));
    if (follows) toEnd();
  }

  const toEnd = () => { box.scrollTop = box.scrollHeight; };

  function save() {
    const text = lines.filter(fits).map((l) => `${l.time} ${l.level} ${l.part} ${l.text}`).join('\n');
    const link = h('a', { href: URL.createObjectURL(new Blob([text], { type: 'text/plain' })), download: 'openclaw.log' });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    toast('Saved what is shown.');
  }

  box.addEventListener('scroll', () => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    if (atEnd !== follows) follows = following.checked = atEnd;
  });
  const timer = setInterval(load, EVERY);
  const off = wire.on('open', load);
  load();
  return { leave: () => { clearInterval(timer); off(); } };
}

/** A line of the file, which is JSON; any other is shown as it is. */
function parse(line) {
  try {
    const value = JSON.parse(line);
    const named = value._meta?.name || value['0'] || '';
    const part = /"subsystem":"([^"]*)"/.exec(named)?.[1] || '';
    const text = [value['1'], value['2']].filter((t) => typeof t === 'string').join(' ') || String(value.message ?? value['0'] ?? line);
    return { time: value.time || value._meta?.date || '', level: (value._meta?.logLevelName || 'info').toLowerCase(), part, text };
  } catch {
    return { time: '', level: 'info', part: '', text: line };
  }
}

function row(line) {
  const at = new Date(line.time);
  const isTime = !Number.isNaN(at.getTime());
  return h('div', { class: line.level },
    h('time', { title: line.time }, isTime ? at.toLocaleTimeString([], { hour12: false }) : ''),
    h('span.level', null, line.level), h('span.part', { title: line.part }, line.part), h('span.text', null, line.text));
}

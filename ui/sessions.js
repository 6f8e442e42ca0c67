// The list of conversations beside the chat: search, rename, delete, a new one.
import { h, fill, iconButton, select, attempt, ask, confirm, dialog, ago } from './dom.js';
import { wire } from './wire.js';
import { plain } from './markdown.js';

/** What a conversation is called: its label, its title, or what its key says. */
export function titleOf(row) {
  // Of a conversation in which nobody wrote anything but commands the gateway knows a number only.
  const title = /^[0-9a-f]{8}( \(|$)/.test(row.derivedTitle || '') ? '' : row.derivedTitle || '';
  return row.label || row.displayName || title || named(row.key || '');
}

function named(key) {
  const [, agent, ...rest] = key.startsWith('agent:') ? key.split(':') : ['', '', key];
  const name = rest.join(':');
  if (name === 'main') return agent && agent !== 'main' ? `Main · ${agent}` : 'Main';
  if (name.startsWith('web-')) return 'New conversation';
  if (name.startsWith('hook:')) return `Webhook ${name.slice(5).replace(/^hook-/, '').slice(0, 8)}`;
  return name;
}

export function sessionList({ open, chosen, renamed, gone }) {
  let rows = [];
  let now = 'main';
  let agents = [];
  let standard = 'main';
  let timer = 0;
  const search = h('input', { type: 'search', placeholder: 'Search conversations', 'aria-label': 'Search conversations', oninput: () => soon(250) });
  const list = h('ul.rows', { 'aria-label': 'Conversations' });
  const root = h('section.sessions', { 'aria-label': 'Conversations' },
    h('div.sessions-head', null, search, iconButton('plus', 'New conversation', create)), list);

  async function load() {
    if (!wire.isOpen) return;
    const words = search.value.trim().toLowerCase();
    const list = (params) => wire.call('sessions.list', { includeDerivedTitles: true, includeLastMessage: true, ...params });
    try {
      let found = (await list({ limit: words ? 500 : 100 })).sessions;
      if (words) {
        // The gateway looks at keys and names; what is shown beside them is looked at here.
        const named = (await list({ limit: 100, search: words })).sessions.map((row) => row.key);
        found = found.filter((row) => named.includes(row.key) || `${titleOf(row)} ${row.lastMessagePreview || ''}`.toLowerCase().includes(words));
      }
      if (words !== search.value.trim().toLowerCase()) return;
      rows = found;
      draw();
      renamed();
    } catch (e) {
      fill(list, h('li.muted', null, e.message));
    }
  }

  function draw() {
    fill(list, rows.map((row) => line(row, row.key === now || row.key === `agent:${standard}:${now}`)));
    if (!rows.length) fill(list, h('li.muted.none', null, search.value ? 'Nothing found.' : 'No conversations yet.'));
  }

  function line(row, isOpen) {
    const title = titleOf(row);
    const from = row.channel || row.lastChannel;
    return h('li', { class: isOpen ? 'open' : null },
      h('a', { href: `#/chat/${encodeURI(row.key)}`, 'aria-current': isOpen ? 'true' : null, onclick: chosen },
        h('span.row-title', null, row.hasActiveRun && h('span.dot.live', { title: 'running' }), title),
        h('span.row-note', null, ago(row.updatedAt).replace(' ago', ''), from && from !== 'webchat' && ` · ${from}`),
        row.lastMessagePreview && h('span.row-text', null, plain(row.lastMessagePreview).slice(0, 90))),
      iconButton('more', `More about ${title}`, () => more(row)));
  }

  async function more(row) {
    const what = await dialog(titleOf(row), h('p.muted', null, row.key),
      [['Delete…', 'delete', 'danger'], ['Start anew…', 'reset'], ['Rename…', 'rename', 'primary'], ['Close', null]]);
    if (what === 'rename') {
      const name = await ask('Rename', 'Name', row.label || '', 'Rename', 'Empty takes the name away.');
      if (name !== null) await attempt(() => wire.call('sessions.patch', { key: row.key, label: name || null }));
    } else if (what === 'reset') {
      const sure = await confirm('Start anew?', 'The conversation begins empty; what was said so far stays on the gateway’s disk.', 'Start anew', 'primary');
      if (sure) await attempt(() => wire.call('sessions.reset', { key: row.key }));
    } else if (what === 'delete') {
      const sure = await confirm('Delete this conversation?', `“${titleOf(row)}” and its transcript are put away.`, 'Delete');
      if (sure && await attempt(() => wire.call('sessions.delete', { key: row.key, deleteTranscript: true }), 'Deleted.')) gone(row.key);
    }
    load();
  }

  async function create() {
    let agent = standard;
    if (agents.length > 1) {
      const choice = select(agents.map((a) => [a.id, a.identity?.name || a.name || a.id]), standard, null, { 'aria-label': 'Agent' });
      if (!await dialog('New conversation', h('div.field', null, h('span', null, 'With which agent?'), choice), [['Cancel', null], ['Begin', true, 'primary']])) return;
      agent = choice.value;
    }
    open(`agent:${agent}:web-${Math.random().toString(16).slice(2, 10)}`);
  }

  function soon(ms = 400) {
    clearTimeout(timer);
    timer = setTimeout(load, ms);
  }

  return {
    root, load, soon,
    focus: () => search.focus(),
    row: (key) => rows.find((r) => r.key === key),
    agents: (found) => { agents = found?.agents || []; standard = found?.defaultId || 'main'; },
    changed: () => soon(),
    show: (key) => { now = key; draw(); },
    leave: () => clearTimeout(timer),
  };
}

// Approvals: commands that an agent wants to run and may not without somebody's word.
import { h, fill, head, card, button, attempt, empty, duration, pill, moment } from './dom.js';
import { wire } from './wire.js';

/** A command as it is to be judged: nothing of it stands far away behind blanks or empty lines. */
const shown = (text) => text.replace(/[^\S\n]{9,}/g, (run) => ` [${run.length} blanks] `).replace(/\n(?:[^\S\n]*\n){3,}/g, (run) => `\n[${run.split('\n').length - 2} empty lines]\n`);

export function mount(root) {
  const body = h('div', { 'aria-live': 'polite' });
  const before = h('div');
  const known = new Map();
  const load = async () => {
    if (!wire.isOpen) return;
    if (!wire.has('exec.approval.resolve')) return fill(body, empty('This gateway runs no commands yet, so nothing asks for approval.'));
    const found = await wire.call('exec.approval.list').catch(() => []);
    known.clear();
    for (const one of found) known.set(one.id, one);
    draw();
    look();
  };
  const draw = () => {
    for (const [id, one] of known) if (one.expiresAtMs && one.expiresAtMs < Date.now()) known.delete(id);
    fill(body, known.size ? [...known.values()].map(line) : empty('Nothing waits for your word.'));
  };
  const words = { 'allow-once': 'allowed once', 'allow-always': 'always allowed', deny: 'denied' };
  const look = async () => {
    if (!wire.has('approval.history')) return;
    const { items } = await wire.call('approval.history', { limit: 50 }).catch(() => ({ items: [] }));
    fill(before, items.length ? card('Decided', h('ul.items', null, items.map((one) => h('li', null, h('div.grow', null,
      h('div.name', null, pill(words[one.decision] || one.status, one.status === 'allowed' ? 'ok' : 'warn'), moment(one.resolvedAtMs)),
      h('p.small', null, h('code', null, shown(one.presentation.commandText)))))))) : '');
  };
  const decide = (one, decision) => attempt(async () => {
    await wire.call('exec.approval.resolve', { id: one.id, decision });
    known.delete(one.id);
    draw();
  });
  const line = (one) => {
    const { command, cwd, host, agentId, sessionKey, resolvedPath, security, ask, env, why, sandbox } = one.request || one;
    const variables = Object.entries(env || {}).map(([name, value]) => `${name}=${value}`).join(' ');
    const facts = [['Folder', cwd], ['Program', resolvedPath], ['Where', host], ['Agent', agentId], ['Conversation', sessionKey], ['Rule', [security, ask].filter(Boolean).join(', ')],
      ['Variables', variables], ['Sandbox', sandbox], ['Because', why]];
    const text = command || (one.request?.commandArgv || []).join(' ');
    facts.unshift(['Length', `${text.length} characters${text.includes('\n') ? `, ${text.split('\n').length} lines` : ''}`]);
    const left = h('span.small', { 'data-until': one.expiresAtMs || '' });
    return h('section.card.attention.stack', { 'aria-label': 'A command waits' },
      h('pre.code.whole', { tabindex: 0 }, h('code', null, shown(text))),
      h('dl.facts', null, facts.filter(([, v]) => v).map(([k, v]) => [h('dt', null, k), h('dd', null, v)])),
      h('div.actions', null, button('Allow once', () => decide(one, 'allow-once'), { class: 'primary' }),
        button('Always allow', () => decide(one, 'allow-always')), button('Deny', () => decide(one, 'deny'), { class: 'danger' }), left));
  };
  const clock = setInterval(() => {
    for (const node of body.querySelectorAll('[data-until]')) {
      const ms = Number(node.dataset.until) - Date.now();
      node.textContent = ms > 0 ? `${duration(ms)} left` : '';
      if (node.dataset.until && ms < 0) return draw();
    }
  }, 1000);
  fill(root, head('Approvals', 'Commands your agents may not run without your word.'), body, before);
  const offs = [
    wire.on('open', load),
    wire.on('exec.approval.requested', (e) => { known.set(e.id, e); draw(); }),
    wire.on('exec.approval.resolved', (e) => { known.delete(e.id); draw(); look(); }),
  ];
  load();
  return { leave: () => { clearInterval(clock); offs.forEach((off) => off()); } };
}

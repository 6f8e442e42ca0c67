// Cron: jobs that the gateway does by the clock: list, make, change, run, and what came of them.
import { h, fill, head, card, button, field, select, dialog, attempt, confirm, pill, moment, duration, empty } from './dom.js';
import { wire } from './wire.js';

export function mount(root) {
  const body = h('div');
  let agents = [];
  const load = async () => {
    if (!wire.isOpen) return;
    add.hidden = !wire.has('cron.add');
    if (!wire.has('cron.add')) return fill(body, empty('This gateway has no scheduler yet.'));
    try {
      const [list, status, known] = await Promise.all([
        wire.call('cron.list', { includeDisabled: true }), wire.call('cron.status'), wire.call('agents.list'),
      ]);
      agents = known.agents;
      draw(body, list.jobs, status, agents, load);
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  const add = button('New job…', () => edit(null, agents, load), { class: 'primary', hidden: true });
  fill(root, head('Cron', 'What your agents do by the clock.', add), body);
  const offs = [wire.on('open', load), wire.on('cron', load)];
  load();
  return { leave: () => offs.forEach((off) => off()) };
}

function draw(body, jobs, status, agents, load) {
  fill(body,
    status.enabled === false && h('div.outcome.bad', null, 'The scheduler is switched off (cron.enabled): nothing below runs by itself.'),
    jobs.length ? card(`Jobs (${jobs.length})`, h('ul.items', null, jobs.map((job) => line(job, agents, load)))) : empty('No jobs yet. A job says a message to an agent at a time, or again and again.'));
}

export function scheduleWords(s) {
  if (s.kind === 'at') return `once, ${new Date(s.at ?? s.atMs).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}`;
  if (s.kind === 'every') return `every ${duration(s.everyMs)}`;
  return `${s.expr}${s.tz ? ` (${s.tz})` : ''}`;
}

function line(job, agents, load) {
  const state = job.state || {};
  const kinds = { ok: 'ok', error: 'bad', skipped: 'warn' };
  const call = (method, params, words) => attempt(() => wire.call(method, params, 600000), words).then(load);
  return h('li', null,
    h('div.grow', null,
      h('div.name', null, job.name, job.enabled === false && pill('paused'), state.runningAtMs ? pill('runs now', 'warn') : state.lastStatus && pill(state.lastStatus, kinds[state.lastStatus])),
      h('p.small', null, scheduleWords(job.schedule), job.agentId && ` · ${job.agentId}`, ` · ${job.sessionTarget}`,
        state.nextRunAtMs ? [' · next ', moment(state.nextRunAtMs)] : '', state.lastRunAtMs ? [' · last ', moment(state.lastRunAtMs)] : ''),
      h('p.small', null, (job.payload?.message || job.payload?.text || '').slice(0, 200)),
      state.lastError && h('div.outcome.bad', null, state.lastError)),
    h('div.actions', null,
      button('Run', () => call('cron.run', { id: job.id, mode: 'force' }, 'It ran.')),
      button(job.enabled === false ? 'Resume' : 'Pause', () => call('cron.update', { id: job.id, patch: { enabled: job.enabled === false } })),
      button('Edit…', () => edit(job, agents, load)), button('History', () => history(job)),
      button('Delete…', async () => { if (await confirm('Delete the job?', job.name, 'Delete')) call('cron.remove', { id: job.id }, 'Deleted.'); }, { class: 'danger' })));
}

async function history(job) {
  await attempt(async () => {
    const { entries } = await wire.call('cron.runs', { id: job.id, limit: 50 });
    const kinds = { ok: 'ok', error: 'bad', skipped: 'warn' };
    const rows = [...entries].sort((a, b) => b.ts - a.ts).map((e) => h('li', null, h('div.grow', null,
      h('div.name', null, pill(e.status || e.action, kinds[e.status]), moment(e.runAtMs || e.ts), e.durationMs !== undefined && h('span.small', null, duration(e.durationMs))),
      h('p.small', null, e.error || e.summary || ''))));
    dialog(`History of ${job.name}`, rows.length ? h('ul.items', null, rows) : empty('It has not run yet.'), [['Close', null, 'primary']]);
  });
}

const UNITS = [['60000', 'minutes'], ['3600000', 'hours'], ['86400000', 'days']];

async function edit(job, agents, load) {
  const s = job?.schedule || { kind: 'cron', expr: '0 9 * * *' };
  const unit = [...UNITS].reverse().find(([ms]) => (s.everyMs || 3600000) % ms === 0)?.[0] || '60000';
  const name = h('input', { value: job?.name || '', required: true });
  const kind = select([['cron', 'by a cron line'], ['every', 'again and again'], ['at', 'once']], s.kind, () => place());
  const expr = h('input', { value: s.expr || '0 9 * * *', spellcheck: 'false' });
  const zone = h('input', { value: s.tz || Intl.DateTimeFormat().resolvedOptions().timeZone });
  const number = h('input', { type: 'number', min: 1, value: (s.everyMs || 3600000) / unit });
  const units = select(UNITS, unit);
  const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const at = h('input', { type: 'datetime-local', value: local(s.at ? Date.parse(s.at) : Date.now() + 3600000) });
  const agent = select(agents.map((a) => [a.id, a.identity?.name || a.name || a.id]), job?.agentId || agents[0]?.id);
  const target = select([['isolated', 'a conversation of its own'], ['main', 'the main conversation']], job?.sessionTarget || 'isolated');
  const words = h('textarea', { rows: 4, required: true });
  words.value = job?.payload?.message || job?.payload?.text || '';
  const when = h('div');
  const place = () => fill(when, kind.value === 'cron' ? h('div.grid', null, field('Cron line', expr, 'minute hour day month weekday'), field('Time zone', zone))
    : kind.value === 'every' ? h('div.grid', null, field('Every', number), field('Unit', units)) : field('At', at));
  place();
  const form = h('div.stack', null, field('Name', name), field('When', kind), when, field('Agent', agent), field('In', target), field('What is said to the agent', words));
  if (!await dialog(job ? 'Change the job' : 'New job', form, [['Cancel', null], ['Save', true, 'primary']])) return;
  const schedule = kind.value === 'cron' ? { kind: 'cron', expr: expr.value.trim(), ...(zone.value.trim() ? { tz: zone.value.trim() } : {}) }
    : kind.value === 'every' ? { kind: 'every', everyMs: Number(number.value) * Number(units.value) } : { kind: 'at', at: new Date(at.value).toISOString() };
  const payload = target.value === 'main' ? { kind: 'systemEvent', text: words.value } : { kind: 'agentTurn', message: words.value };
  const members = { name: name.value.trim(), schedule, sessionTarget: target.value, payload, agentId: agent.value };
  await attempt(() => (job ? wire.call('cron.update', { id: job.id, patch: members })
    : wire.call('cron.add', { ...members, wakeMode: 'now', enabled: true })), 'Saved.');
  load();
}

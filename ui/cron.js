// Cron: jobs that the gateway does by the clock: list, make, change, run, and what came of them; beside them heartbeats.
import { h, fill, head, card, button, field, select, dialog, attempt, confirm, pill, moment, duration, empty, toast } from './dom.js';
import { wire } from './wire.js';
import * as heartbeats from './heartbeats.js';

export function mount(root) {
  const body = h('div');
  let known = { agents: [] };
  const load = async () => {
    if (!wire.isOpen) return;
    add.hidden = !wire.has('cron.add');
    if (!wire.has('cron.add')) return fill(body, empty('This gateway has no scheduler yet.'));
    try {
      const [list, status, all, beats] = await Promise.all([
        wire.call('cron.list', { includeDisabled: true }), wire.call('cron.status'), wire.call('agents.list'), heartbeats.known(),
      ]);
      known = all;
      draw(body, list.jobs, status, beats, known, load);
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  const add = button('New job…', () => edit(null, known, load), { class: 'primary', hidden: true });
  fill(root, head('Cron', 'What your agents do by the clock.', add), body);
  const offs = [wire.on('open', load), wire.on('cron', load), wire.on('heartbeat', load)];
  load();
  return { leave: () => offs.forEach((off) => off()) };
}

function draw(body, jobs, status, beats, known, load) {
  fill(body,
    status.enabled === false && h('div.outcome.bad', null, 'The scheduler is switched off (cron.enabled): nothing below runs by itself.'),
    jobs.length ? card(`Jobs (${jobs.length})`, h('ul.items', null, jobs.map((job) => line(job, known, load)))) : empty('No jobs yet. A job says a message to an agent at a time, or again and again.'),
    heartbeats.panel(beats, load));
}

export function scheduleWords(s) {
  if (s.kind === 'at') return `once, ${new Date(s.at ?? s.atMs).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}`;
  if (s.kind === 'every') return `every ${duration(s.everyMs, true)}`;
  return `${s.expr}${s.tz ? ` (${s.tz})` : ''}`;
}

function line(job, known, load) {
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
      button('Run', () => attempt(() => run(job), 'It ran.').then(load)),
      button(job.enabled === false ? 'Resume' : 'Pause', () => call('cron.update', { id: job.id, patch: { enabled: job.enabled === false } })),
      button('Edit…', () => edit(job, known, load)), button('History', () => history(job)),
      button('Delete…', async () => { if (await confirm('Delete the job?', job.name, 'Delete')) call('cron.remove', { id: job.id }, 'Deleted.'); }, { class: 'danger' })));
}

/** Runs it now; a run that failed is no success. */
async function run(job) {
  const told = await wire.call('cron.run', { id: job.id, mode: 'force' }, 600000);
  if (!told.ran) throw new Error(told.reason === 'already-running' ? 'It runs already.' : `It did not run: ${told.reason}.`);
  const { entries } = await wire.call('cron.runs', { id: job.id, limit: 1 });
  if (entries[0]?.status === 'error') throw new Error(`It failed: ${entries[0].error}`);
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

async function edit(job, { agents, defaultId }, load) {
  const s = job?.schedule || { kind: 'cron', expr: '0 9 * * *' };
  const unit = [...UNITS].reverse().find(([ms]) => (s.everyMs || 3600000) % ms === 0)?.[0] || '60000';
  const name = h('input', { value: job?.name || '', required: true });
  const kind = select([['cron', 'by a cron line'], ['every', 'again and again'], ['at', 'once']], s.kind, () => place());
  const expr = h('input', { value: s.expr || '0 9 * * *', spellcheck: 'false' });
  const zone = h('input', { value: s.tz || (job ? '' : Intl.DateTimeFormat().resolvedOptions().timeZone) });
  const number = h('input', { type: 'number', min: 1, value: (s.everyMs || 3600000) / unit });
  const units = select(UNITS, unit);
  const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  const at = h('input', { type: 'datetime-local', step: 1, value: local(s.at ? Date.parse(s.at) : Date.now() + 3600000) });
  const agent = select(agents.map((a) => [a.id, a.identity?.name || a.name || a.id]), job?.agentId || defaultId);
  const target = select([['isolated', 'a conversation of its own'], ['main', 'the main conversation']], job?.sessionTarget || 'isolated');
  const words = h('textarea', { rows: 4, required: true });
  words.value = job?.payload?.message || job?.payload?.text || '';
  const when = h('div');
  const place = () => fill(when, kind.value === 'cron' ? h('div.grid', null, field('Cron line', expr, 'minute hour day month weekday'), field('Time zone', zone, 'empty: the gateway’s own'))
    : kind.value === 'every' ? h('div.grid', null, field('Every', number), field('Unit', units)) : field('At', at));
  place();
  const why = h('div', { role: 'alert' });
  const form = h('div.stack', null, field('Name', name), field('When', kind), when, field('Agent', agent), field('In', target), field('What is said to the agent', words), why);
  const schedule = () => {
    if (kind.value === 'cron') return { kind: 'cron', expr: expr.value.trim(), ...(zone.value.trim() ? { tz: zone.value.trim() } : {}) };
    if (kind.value === 'every') return { kind: 'every', everyMs: Number(number.value) * Number(units.value) };
    if (!at.value) throw new Error('Choose day and time.');
    return { kind: 'at', at: new Date(at.value).toISOString() };
  };
  const payload = () => (target.value === 'main' ? { kind: 'systemEvent', text: words.value } : { kind: 'agentTurn', message: words.value });
  const members = () => ({ name: name.value.trim(), schedule: schedule(), sessionTarget: target.value, payload: payload(), agentId: agent.value });
  const before = job && members();
  // What nobody touched stays as it is, also where the page would write it otherwise.
  const changed = (all) => Object.fromEntries(Object.entries(all).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key])));
  const save = async () => {
    try {
      if (!words.value.trim()) throw new Error('Say what the agent is to be told.');
      const all = members();
      await (job ? wire.call('cron.update', { id: job.id, patch: changed(all) }) : wire.call('cron.add', { ...all, wakeMode: 'now', enabled: true }));
      return true;
    } catch (e) {
      fill(why, h('div.outcome.bad', null, e.message));
      return false;
    }
  };
  if (!await dialog(job ? 'Change the job' : 'New job', form, [['Cancel', null], ['Save', true, 'primary', save]])) return;
  toast('Saved.', 'ok');
  load();
}

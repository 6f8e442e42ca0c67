// Heartbeats: whether agents look after things by themselves, what came of the last time, and the switch for all of them.
import { h, card, button, attempt, pill, moment, duration } from './dom.js';
import { wire } from './wire.js';

const KINDS = { sent: 'warn', 'ok-token': 'ok', 'ok-empty': 'ok', failed: 'bad' };
const WORDS = { sent: 'said something', 'ok-token': 'all is well', 'ok-empty': 'all is well', skipped: 'skipped', failed: 'failed' };

/** Both answers, or nothing where this gateway has no heartbeats. */
export async function known() {
  if (!wire.has('last-heartbeat')) return null;
  const [health, last] = await Promise.all([wire.call('health'), wire.call('last-heartbeat')]);
  return { agents: health.agents || [], last };
}

export function panel(beats, load) {
  if (!beats) return null;
  const set = beats.agents.filter((a) => a.heartbeat?.everyMs);
  const isOn = set.some((a) => a.heartbeat.enabled);
  const turn = (enabled, done) => attempt(() => wire.call('set-heartbeats', { enabled }), done).then(load);
  const toggle = set.length > 0 && wire.has('set-heartbeats') && (isOn
    ? button('Switch off', () => turn(false, 'No heartbeats until they are switched on, or the gateway is started again.'))
    : button('Switch on', () => turn(true, 'Heartbeats come again.'), { class: 'primary' }));
  return card('Heartbeats', h('ul.items', null, h('li', null,
    h('div.grow', null,
      h('div.name', null, set.length ? set.map(rhythm).join(', ') : 'No agent has a heartbeat.',
        set.length > 0 && (isOn ? pill('on', 'ok') : pill('off', 'warn'))),
      set.length ? outcome(beats.last) : h('p.small', null, 'agents.defaults.heartbeat.every says how often an agent looks after things by itself.')),
    h('div.actions', null, toggle))));
}

const rhythm = (a) => `${a.name || a.agentId} every ${duration(a.heartbeat.everyMs, true)}`;

function outcome(last) {
  if (!last) return h('p.small', null, 'None has come yet.');
  return [
    h('p.small', null, 'Last ', moment(last.ts), ' ', pill(WORDS[last.status] || last.status, KINDS[last.status]),
      last.reason && ` ${last.reason}`, last.to && ` · ${last.to}`),
    last.preview && h('p.small', null, last.preview),
  ];
}

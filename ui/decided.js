// What becomes of commands that wait for somebody's word, told at the calls that asked for them.
import { wire } from './wire.js';

const WORDS = { late: 'was not answered in time', unknown: 'asked for approval', 'allow-once': 'allowed', 'allow-always': 'allowed', deny: 'denied', waits: 'waits for your approval' };

export function approvals() {
  /** By the id of what was asked: a decision, or that it waits. */
  const known = new Map();
  let calls = new Map();
  let timer = 0;

  const open = () => [...calls.values()].filter((call) => call.approval && [undefined, 'waits'].includes(known.get(call.approval.id)));

  function tell() {
    for (const { approval, state, node } of calls.values()) {
      if (!approval) continue;
      const decision = known.get(approval.id);
      state.textContent = WORDS[decision ?? 'waits'] || WORDS.unknown;
      node.classList.toggle('done', /^allow/.test(decision));
      node.classList.toggle('bad', decision === 'deny');
    }
  }

  async function ask() {
    clearTimeout(timer);
    if (!open().length || !wire.isOpen || !wire.has('approval.history')) return;
    const [waiting, past] = await Promise.all([wire.call('exec.approval.list'), wire.call('approval.history', { limit: 50 })]).catch(() => []);
    if (!past) return;
    for (const one of past.items) known.set(one.id, one.decision || 'late');
    for (const one of waiting) known.set(one.id, 'waits');
    // The gateway knows of its own time only: of what was asked before its start it does not say what came of it.
    const isTold = (id) => waiting.some((one) => one.id === id) || past.items.some((one) => one.id === id);
    for (const { approval } of open()) if (!isTold(approval.id)) known.set(approval.id, 'unknown');
    tell();
    // One whose time is over is told by nobody.
    const next = Math.min(...open().map((call) => call.approval.until || Infinity));
    if (next < Infinity) timer = setTimeout(ask, Math.max(0, next - Date.now()) + 500);
  }

  const off = wire.on('exec.approval.resolved', (e) => { known.set(e.id, e.decision); tell(); });
  return {
    /** Looks after the calls of a conversation, by their ids. */
    look: (now) => { calls = now; tell(); ask(); },
    leave: () => { clearTimeout(timer); off(); },
  };
}

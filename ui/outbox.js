// What was written and stands in no transcript yet. It is kept with its conversation while the page shows something else or
// the gateway is away, and goes out under a key of its own: the gateway takes it once, however often it is sent.
import { wire, Refused } from './wire.js';

let kept = [];
const followers = new Set();

/** `changed(one)` is called whenever the state of one is another: unsent, sending, sent or failed. */
export function follow(changed) {
  followers.add(changed);
  return () => followers.delete(changed);
}

/** Those of a conversation, whose keys `isMine` knows. */
export const of = (isMine) => kept.filter((one) => isMine(one.key));

/** Whether anything would be lost with the page. */
export const holds = () => kept.some((one) => one.state !== 'sent');

export function add(key, text, images) {
  const runId = crypto.randomUUID?.() || `${Date.now()}-${Math.random().toString(16).slice(2)}`;
  const one = { key, text, images, runId, at: Date.now(), state: 'unsent' };
  kept.push(one);
  return one;
}

/** One that the gateway told of: it waits there, whoever sent it. */
export function learn(key, { runId, message, acceptedAt }) {
  const one = { key, message, images: [], runId, at: acceptedAt, state: 'sent', isQueued: true };
  kept.push(one);
  return one;
}

export function remove(one) {
  kept = kept.filter((other) => other !== one);
}

function set(one, state, why = null) {
  [one.state, one.why] = [state, why];
  if (kept.includes(one)) for (const changed of followers) changed(one);
}

/** Now, or when the gateway is back. */
export async function send(one) {
  if (!wire.isOpen) return set(one, 'unsent');
  set(one, 'sending');
  const params = { sessionKey: one.key, message: one.text, idempotencyKey: one.runId, deliver: false };
  if (one.images.length) params.attachments = one.images.map(({ content, mimeType, fileName }) => ({ type: 'image', mimeType, fileName, content }));
  try {
    one.answer = await wire.call('chat.send', params);
    set(one, 'sent');
  } catch (e) {
    // Whether it arrived is not known where the connection broke off.
    if (e instanceof Refused || wire.isOpen) set(one, 'failed', e.message);
    else set(one, 'unsent');
  }
}

wire.on('open', () => { for (const one of kept) if (one.state === 'unsent') send(one); });

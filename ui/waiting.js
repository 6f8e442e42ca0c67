// What somebody wrote and stands in no transcript yet, as bubbles at the end of the conversation: what each waits for, and where
// it goes when that has come. What is kept, and sent, is in outbox.js.
import { h, button } from './dom.js';
import * as outbox from './outbox.js';
import { message } from './messages.js';

export class Waiting {
  /** `view` is the chat: its `live` end, whose keys `isMine` knows. */
  constructor(view) {
    this.view = view;
    this.leave = outbox.follow((one) => this.mark(one));
  }

  get all() {
    return outbox.of(this.view.isMine);
  }

  place() {
    for (const one of this.all) this.view.live.append(this.bubble(one));
  }

  has = (runId) => this.all.some((p) => p.runId === runId && p.isQueued);

  /** What the gateway has is its to tell: in the transcript, or waiting for its turn; of what was sent before, nothing else is left. */
  reconcile({ messages, pendingInputs }, sent) {
    const waiting = pendingInputs?.items || [];
    const written = new Set(messages.map((m) => m.__openclaw?.idempotencyKey).filter(Boolean));
    for (const p of this.all) {
      const waits = waiting.some((one) => one.runId === p.runId);
      if (waits) p.isQueued = true;
      if (written.has(p.runId) || (sent.includes(p) && !waits)) outbox.remove(p);
    }
    const known = new Set(this.all.map((p) => p.runId));
    for (const one of waiting) if (!known.has(one.runId)) outbox.learn(this.view.info.key, one);
  }

  send(one) {
    one.isQueued = this.view.runs.size > 0;
    this.view.thread.querySelector('.hello')?.remove();
    this.view.live?.append(this.bubble(one));
    this.view.toEnd(true);
    outbox.send(one);
  }

  bubble(one) {
    if (!one.node) {
      const content = [{ type: 'text', text: one.text }, ...one.images.map((i) => ({ type: 'image', mimeType: i.mimeType, data: i.content }))];
      one.node = message({ timestamp: one.at, ...(one.message || { role: 'user', content }) }, this.view.results);
      this.mark(one);
    }
    return one.node;
  }

  /** Says at a message what it waits for, and lets go of one that the gateway did without a turn. */
  mark(one) {
    if (!one.node || !this.view.isMine(one.key)) return;
    const discard = () => { this.take((p) => p === one); this.view.composer.focus(); };
    const notes = {
      unsent: ['Not sent yet: it goes out when the gateway is back.', button('Discard', discard)],
      failed: [`Not sent: ${one.why}`, button('Send again', () => this.send(one)), button('Discard', discard)],
    };
    const words = notes[one.state] || (one.isQueued && ['Waits for the answer before it']);
    one.note?.remove();
    one.note = words ? h('p.note', { class: one.state === 'failed' ? 'bad' : '', role: notes[one.state] ? 'alert' : null }, words) : null;
    if (words) one.node.append(one.note);
    one.node.classList.toggle('failed', one.state === 'failed');
    one.node.classList.toggle('waiting', Boolean(words) && one.state !== 'failed');
    if (one.state !== 'sent' || !('aborted' in (one.answer || {}))) return;
    // A word that stops what goes on.
    this.settle((p) => p === one);
    if (!one.answer.aborted) this.view.live.before(h('div.outcome', { role: 'status' }, 'Nothing was going on.'));
    this.view.toEnd();
  }

  /** What was sent and is answered, or never will be, takes its place in the conversation. */
  settle(is) {
    const { live, runs } = this.view;
    // Behind what was stopped before its turn came, which waits for the end of what is being said.
    const isBehind = live.querySelector('.dropped') !== null;
    for (const p of this.all.filter(is)) {
      outbox.remove(p);
      p.node.classList.remove('waiting');
      p.note?.remove();
      if (isBehind) p.node.classList.add('done');
      else live.before(p.node);
    }
    if (!runs.size) this.clear();
  }

  /** They wait no more. */
  take(is) {
    const taken = this.all.filter(is);
    for (const p of taken) {
      outbox.remove(p);
      p.node?.remove();
    }
    return taken;
  }

  /** What was stopped before its turn: it stays behind what is being said, until that has ended. */
  drop(is) {
    for (const p of this.all.filter(is)) {
      outbox.remove(p);
      p.note?.remove();
      p.node.classList.replace('waiting', 'dropped');
      p.node.append(h('div.outcome', { role: 'status' }, 'Stopped before its turn came: it is no part of the conversation.'));
    }
  }

  clear() {
    const { live } = this.view;
    live.before(...live.querySelectorAll('.dropped, .done'));
  }
}

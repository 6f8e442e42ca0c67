// Messages of a transcript as elements: words, pictures, what was thought, and tools folded away.
import { h, add, icon, count, money } from './dom.js';
import { markdown } from './markdown.js';

export const isResult = (m) => m.role === 'toolResult' || m.role === 'tool';

export function parts(m) {
  return typeof m.content === 'string' ? [{ type: 'text', text: m.content }] : Array.isArray(m.content) ? m.content : [];
}

export const textOf = (m) => parts(m).filter((p) => p.type === 'text').map((p) => p.text).join('\n');

/** The element of a message. Calls of tools are put into `calls` by their id, for their results. */
export function message(m, calls) {
  if (m.role === 'system') {
    const isCut = m.__openclaw?.kind === 'compaction';
    return h('div.divider', { role: 'separator' }, h('span', null, isCut ? 'Earlier messages were summarised' : textOf(m)));
  }
  const inner = parts(m).map((part) => piece(part, m, calls)).filter(Boolean);
  const failure = m.stopReason === 'error' && m.errorMessage;
  if (failure) inner.push(h('div.outcome.bad', null, icon('warn'), m.errorMessage));
  if (m.stopReason === 'aborted') inner.push(h('div.outcome', null, 'Stopped.'));
  if (!inner.length) return null;
  const isUser = m.role === 'user';
  return h('article.message', { class: isUser ? 'user' : 'assistant', 'data-text': textOf(m).trim(), 'aria-label': isUser ? 'You' : 'Answer' },
    inner, about(m));
}

function piece(part, m, calls) {
  switch (part.type) {
    case 'text': {
      if (!part.text?.trim()) return null;
      return m.role === 'user' ? asked(part.text.trim(), m) : markdown(part.text);
    }
    case 'thinking': {
      if (!part.thinking?.trim()) return null;
      return h('details.thought', null, h('summary', null, 'Thought'), markdown(part.thinking));
    }
    case 'image':
    case 'image_url':
      return picture(part);
    case 'toolCall':
    case 'tool_use':
      return tool(part, calls);
    default:
      return null;
  }
}

/** A user's own words; what the gateway has put before them, or asked itself, is folded away. */
function asked(text, m) {
  const { notes, own } = apart(text, m);
  return [notes && h('details.thought', null, h('summary', null, own ? 'Told by the gateway' : 'Asked by the gateway'), h('div.words', null, notes)),
    own && h('div.words', null, own)];
}

/** What of a user's message the gateway wrote: what it asked itself, which is marked, and notes of what happened. */
export function apart(text, m = {}) {
  const mark = m.__openclaw || {};
  if (mark.askedBy) return { notes: text, own: '' };
  let [notes, own] = ['', text];
  if (text.startsWith('System: [')) {
    // What the user wrote comes last, with its time before it where something stands before that.
    const stamps = [...text.matchAll(/\n\n\[\w{3} \d{4}-\d\d-\d\d \d\d:\d\d [^\]\n]*\] /g)];
    const stamp = stamps.at(-1);
    if (stamp) [notes, own] = [text.slice(0, stamp.index), text.slice(stamp.index + stamp[0].length)];
    else own = text.replace(/^(System: \[.*(\n|$)|\s+)+/, '');
    notes = text.slice(0, text.length - own.length).trim();
  }
  // The original marks nothing; what stands in its transcripts is known by its words.
  const isPrompt = mark.id && !mark.idempotencyKey && /\[cron:|HEARTBEAT_OK/.test(own);
  return isPrompt ? { notes: text, own: '' } : { notes, own: own.trim() };
}

function picture(part) {
  const type = part.mimeType || part.source?.media_type || 'image/png';
  const data = part.data || part.source?.data;
  if (!data || !/^image\/(png|jpeg|gif|webp)$/.test(type)) return h('p.muted', null, '(a picture)');
  return h('img.picture', { src: `data:${type};base64,${data}`, alt: 'Picture in this message' });
}

function tool(part, calls) {
  const args = part.arguments ?? part.input ?? {};
  const state = h('span.tool-state', null, 'running');
  const result = h('div.tool-result');
  const node = h('details.tool', null,
    h('summary', null, icon('tool'), h('b', null, part.name), h('span.tool-arg', null, brief(args)), state),
    h('pre', { tabindex: 0 }, JSON.stringify(args, null, 2)), result);
  calls?.set(part.id, { node, state, result });
  return node;
}

/** The one argument that tells most. */
function brief(args) {
  const texts = Object.entries(args).filter(([, v]) => typeof v === 'string' || typeof v === 'number');
  const best = texts.find(([k]) => ['command', 'path', 'url', 'query', 'message', 'action'].includes(k)) || texts[0];
  return best ? String(best[1]).slice(0, 120) : '';
}

/** Puts a result into its call. */
export function attachResult(calls, m) {
  const call = calls?.get(m.toolCallId);
  if (!call) return;
  const isBad = Boolean(m.isError);
  const waits = m.details?.status === 'approval-pending';
  // What became of it is told by who decides (decided.js).
  if (waits) call.approval = { id: m.details.approvalId, until: m.details.expiresAtMs };
  call.state.textContent = isBad ? 'failed' : waits ? 'asked for your approval' : 'done';
  if (!waits) call.node.classList.add(isBad ? 'bad' : 'done');
  const text = textOf(m);
  const shown = text.length > 20000 ? `${text.slice(0, 20000)}\n… ${text.length - 20000} more characters` : text;
  if (shown) add(call.result, h('pre', { tabindex: 0 }, shown));
  for (const part of parts(m)) if (part.type === 'image') call.result.append(picture(part));
}

/** When, by which model, for how much: small, below. */
function about(m) {
  const at = m.timestamp ? new Date(m.timestamp) : null;
  const isToday = at && at.toDateString() === new Date().toDateString();
  const time = at && (isToday ? at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : at.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }));
  const usage = m.usage && (m.usage.totalTokens || m.usage.output)
    ? `${count(m.usage.input)} in · ${count(m.usage.output)} out${m.usage.cost?.total ? ` · ${money(m.usage.cost.total)}` : ''}` : null;
  return h('footer.about', null, at && h('time', { datetime: at.toISOString() }, time),
    m.model && m.model !== 'gateway-injected' && m.role === 'assistant' && h('span', null, m.model), usage && h('span', null, usage));
}

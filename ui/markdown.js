// Markdown as models write it, made into elements. No HTML is read or made; links go to http, https and mailto only.
import { h, add, iconButton, copied } from './dom.js';

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Puts `text` into `node`. Blocks that stand there already and did not change stay as they are, as text grows. */
export function render(node, text) {
  const old = node.blocks || [];
  const now = blocks(text.replace(/\r\n?/g, '\n').split('\n'));
  let same = 0;
  while (same < now.length && same < old.length && now[same].source === old[same].source) {
    now[same].node = old[same++].node;
  }
  for (const block of old.slice(same)) block.node.remove();
  for (const block of now.slice(same)) {
    block.node = block.make();
    node.append(block.node);
  }
  node.blocks = now;
  return node;
}

export const markdown = (text) => render(h('div.md'), text);

/** Deeper than this nothing is nested, longer than this a paragraph has no spans: some texts are made to be slow. */
const DEEPEST = 12;
const LONGEST = 20000;

/** The blocks of a text: their source, and what makes an element of each. */
function blocks(lines, depth = 0) {
  if (depth > DEEPEST) return [{ source: '', make: () => h('p', null, lines.join('\n')) }];
  const found = [];
  let at = 0;
  const put = (from, make) => found.push({ source: lines.slice(from, at).join('\n'), make });
  while (at < lines.length) {
    const line = lines[at];
    const from = at;
    let match;
    if (!line.trim()) {
      at++;
    } else if ((match = FENCE.exec(line))) {
      const [, fence, language] = match;
      at++;
      while (at < lines.length && !closes(lines[at], fence)) at++;
      const body = lines.slice(from + 1, at);
      at++;
      put(from, () => code(body.join('\n'), language));
    } else if ((match = HEADING.exec(line))) {
      const [, marks, words] = match;
      at++;
      put(from, () => h(`h${Math.min(6, marks.length + 2)}`, null, inline(words)));
    } else if (RULE.test(line)) {
      at++;
      put(from, () => h('hr'));
    } else if (QUOTE.test(line)) {
      while (at < lines.length && (QUOTE.test(lines[at]) || (lines[at].trim() && at > from && !starts(lines[at])))) at++;
      const body = lines.slice(from, at).map((l) => l.replace(QUOTE, ''));
      put(from, () => h('blockquote', null, blocks(body, depth + 1).map((b) => b.make())));
    } else if (ITEM.test(line)) {
      at = listEnd(lines, at);
      const body = lines.slice(from, at);
      put(from, () => list(body, depth));
    } else if (line.includes('|') && DELIMITER.test(lines[at + 1] || '')) {
      at += 2;
      while (at < lines.length && lines[at].includes('|')) at++;
      const body = lines.slice(from, at);
      put(from, () => table(body));
    } else {
      while (at < lines.length && lines[at].trim() && (at === from || !starts(lines[at]))) at++;
      const body = lines.slice(from, at);
      put(from, () => h('p', null, inline(body.join('\n'))));
    }
  }
  return found;
}

const closes = (line, fence) => {
  const end = line.trim();
  return end.length >= fence.length && [...end].every((c) => c === fence[0]);
};

/** Whether a line begins a block within a paragraph. */
const starts = (line) => FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || RULE.test(line)
  || /^ {0,3}([-*+]|1[.)])\s+\S/.test(line);

function listEnd(lines, at) {
  const [, indent, first] = ITEM.exec(lines[at]);
  const goesOn = (line) => {
    const match = ITEM.exec(line);
    if (match && match[1].length <= indent.length + 1) return /\d/.test(match[2]) === /\d/.test(first);
    return Boolean(match) || /^\s{2,}\S/.test(line);
  };
  for (at++; at < lines.length; at++) {
    if (goesOn(lines[at])) continue;
    if (!lines[at].trim()) {
      const next = lines[at + 1];
      if (next !== undefined && goesOn(next)) continue;
    } else if (!starts(lines[at]) && lines[at - 1].trim()) {
      continue;
    }
    break;
  }
  return at;
}

function list(lines, depth) {
  const [, indent, first] = ITEM.exec(lines[0]);
  const isOrdered = /\d/.test(first);
  const items = [];
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length <= indent.length + 1 && /\d/.test(match[2]) === isOrdered) {
      items.push([match[3]]);
    } else {
      items.at(-1).push(line.replace(/^\s{1,4}/, ''));
    }
  }
  const start = isOrdered ? parseInt(first, 10) : null;
  return h(isOrdered ? 'ol' : 'ul', { start: start === 1 ? null : start }, items.map((one) => item(one, depth)));
}

function item(lines, depth) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  if (task) lines = [lines[0].slice(task[0].length), ...lines.slice(1)];
  const inner = blocks(lines, depth + 1);
  const made = inner.map((b) => b.make());
  // A short item is no paragraph.
  if (made[0]?.tagName === 'P') made[0] = [...made[0].childNodes];
  const box = task && h('input', { type: 'checkbox', disabled: true, checked: task[1] !== ' ', 'aria-label': 'Done' });
  return h('li', { class: task ? 'task' : null }, box, made);
}

function cells(line) {
  const bare = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));
}

function table([top, marks, ...rows]) {
  const sides = cells(marks).map((mark) => (/^:-+:$/.test(mark) ? 'center' : /-:$/.test(mark) ? 'right' : null));
  const row = (tag, line) => h('tr', null, cells(line).map((cell, n) => h(tag, { class: sides[n] }, inline(cell))));
  return h('div.table-scroll', { tabindex: 0, role: 'region', 'aria-label': 'Table' },
    h('table', null, h('thead', null, row('th', top)), h('tbody', null, rows.map((line) => row('td', line)))));
}

export function code(text, language) {
  return h('div.code', null,
    h('div.code-head', null, h('span', null, language || 'text'), iconButton('copy', 'Copy the code', () => copied(text))),
    h('pre', { tabindex: 0 }, h('code', null, text)));
}

const SPAN = new RegExp([
  /(`+)([\s\S]{0,2000}?[^`])\1(?!`)/, // code
  /\\([\\`*_{}[\]()#+\-.!|~<>])/,
  /!?\[([^\][\n]{0,500})\]\(\s{0,3}<?((?:[^\s()<>]|\([^\s()<>]{0,200}\)){1,2000})>?(?:\s{1,3}"[^"\n]{0,300}")?\s{0,3}\)/, // link
  /<((?:https?:\/\/|mailto:)[^\s>]{1,2000})>/,
  /(https?:\/\/[^\s<>"]{1,2000}[^\s<>".,;:!?)\]'*_])/,
  /(\*\*|__)(?=\S)([\s\S]{0,1500}?\S)\8(?![*_])/, // strong
  /(?<![A-Za-z0-9_*])([*_])(?=[^\s*_]|\*\*\S|__\S)([\s\S]{0,1500}?[^\s*_]|[\s\S]{0,1500}?(?:\*\*|__))\10(?![A-Za-z0-9_*])/, // em
  /~~(?=\S)([\s\S]{0,1500}?\S)~~/,
  /( {2,}|\\)?\n/,
].map((part) => part.source).join('|'), 'g');

/** The spans of a line of text. */
export function inline(text) {
  if (text.length > LONGEST) return [text];
  const out = [];
  let last = 0;
  for (const match of text.matchAll(SPAN)) {
    if (match.index < last) continue;
    if (match.index > last) out.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    out.push(span(match));
  }
  if (last < text.length) out.push(text.slice(last));
  return out;
}

function span(match) {
  const [all, , codeText, escaped, label, target, angled, bare, , strong, , em, gone] = match;
  if (codeText !== undefined) return h('code', null, codeText.replace(/^ (.+) $/s, '$1'));
  if (escaped) return escaped;
  if (target) return link(target, label ? inline(label) : [target], all);
  if (angled) return link(angled, [angled], all);
  if (bare) return link(bare, [bare], all);
  if (strong) return h('strong', null, inline(strong));
  if (em) return h('em', null, inline(em));
  if (gone) return h('del', null, inline(gone));
  return h('br');
}

function link(target, words, all) {
  let url = null;
  try {
    url = new URL(target);
  } catch {
    // Not one to follow.
  }
  if (!url || !['http:', 'https:', 'mailto:'].includes(url.protocol)) return all;
  return h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, words);
}

/** As plain text with its Markdown marks taken out, for a line of a list. */
export const plain = (text) => add(h('span'), inline(text.replace(/\s+/g, ' '))).textContent;

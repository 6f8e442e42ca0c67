// Small charts: bars over days, drawn as SVG, with the same numbers as a table for who cannot see them.
import { h } from './dom.js';

const SPACE = 'http://www.w3.org/2000/svg';

function s(tag, attributes, ...kids) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...kids);
  return node;
}

/** Bars of `[label, value]`; `tell` makes words of a value. */
export function bars(name, rows, tell, { height = 110, width = 420 } = {}) {
  const most = Math.max(...rows.map(([, v]) => v), 0);
  const [top, bottom] = [16, 18];
  const step = width / Math.max(rows.length, 1);
  const thick = Math.min(step * 0.72, 34);
  const chart = s('svg', { viewBox: `0 0 ${width} ${height}`, class: 'chart', 'aria-hidden': 'true' });
  rows.forEach(([label, value], n) => {
    const tall = most ? (value / most) * (height - top - bottom) : 0;
    const bar = s('rect', { x: n * step + (step - thick) / 2, y: height - bottom - Math.max(tall, 1.5), width: thick, height: Math.max(tall, 1.5), rx: 2 });
    if (!value) bar.setAttribute('class', 'faint');
    const words = document.createElementNS(SPACE, 'title');
    words.textContent = `${label}: ${tell(value)}`;
    bar.append(words);
    chart.append(bar);
  });
  const text = (x, y, anchor, words) => {
    const node = s('text', { x, y, 'text-anchor': anchor });
    node.textContent = words;
    chart.append(node);
  };
  if (rows.length) {
    text(2, height - 4, 'start', rows[0][0]);
    if (rows.length > 1) text(width - 2, height - 4, 'end', rows.at(-1)[0]);
    if (most) text(width - 2, 11, 'end', `most ${tell(most)}`);
  }
  return h('figure', { 'aria-label': name }, chart,
    h('table.unseen', null, h('caption', null, name), h('tbody', null, rows.map(([label, value]) =>
      h('tr', null, h('th', { scope: 'row' }, label), h('td', null, tell(value)))))));
}

export const tile = (label, value, more) =>
  h('div.tile', null, h('div.label', null, label), h('div.value', null, value), more && h('div.more', null, more));

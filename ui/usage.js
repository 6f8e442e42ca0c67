// Usage: tokens and cost by day, model, agent and conversation.
import { h, fill, head, card, select, count, money, empty } from './dom.js';
import { wire } from './wire.js';
import { bars, tile } from './charts.js';

const SPANS = [['7', '7 days'], ['14', '14 days'], ['30', '30 days'], ['90', '90 days']];

export function mount(root) {
  let span = '14';
  const body = h('div', null, h('p.muted', null, 'Loading…'));
  const load = async () => {
    if (!wire.isOpen) return;
    const startDate = new Date(Date.now() - (span - 1) * 86400000).toISOString().slice(0, 10);
    const endDate = new Date().toISOString().slice(0, 10);
    try {
      draw(body, await wire.call('sessions.usage', { startDate, endDate, limit: 500 }), Number(span));
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  fill(root, head('Usage', 'What the models took, as far as their prices are known. Days are UTC.',
    select(SPANS, span, (n) => { span = n; load(); }, { 'aria-label': 'Time span' })), body);
  const off = wire.on('open', load);
  load();
  return { leave: off };
}

function draw(body, usage, span) {
  const { totals, aggregates, sessions } = usage;
  if (!totals.totalTokens) return fill(body, empty('Nothing was used in this time.'));
  const days = Array.from({ length: span }, (_, i) => new Date(Date.now() - (span - 1 - i) * 86400000).toISOString().slice(0, 10));
  const of = (date) => (aggregates.daily || []).find((d) => d.date === date) || {};
  fill(body,
    h('div.tiles', null,
      tile('Cost', money(totals.totalCost), totals.missingCostEntries ? `${totals.missingCostEntries} answers without a price` : null),
      tile('Tokens', count(totals.totalTokens), `${count(totals.input)} in · ${count(totals.output)} out`),
      tile('From the cache', count(totals.cacheRead), `${count(totals.cacheWrite)} written`),
      tile('Messages', count(aggregates.messages?.total || 0), `${count(aggregates.tools?.totalCalls || 0)} tool calls · ${count(aggregates.messages?.errors || 0)} errors`)),
    h('div.grid', null,
      card('Tokens a day', bars('Tokens a day', days.map((d) => [d.slice(5), of(d).tokens || 0]), count)),
      card('Cost a day', bars('Cost a day', days.map((d) => [d.slice(5), of(d).cost || 0]), money))),
    h('div.grid', null,
      card('By model', table(['Model', 'Calls', 'Tokens', 'Cost'], (aggregates.byModel || []).map((m) =>
        [m.model || m.provider || 'unknown', count(m.count), count(m.totals.totalTokens), money(m.totals.totalCost)]))),
      card('By agent', table(['Agent', 'Tokens', 'Cost'], (aggregates.byAgent || []).map((a) =>
        [a.agentId, count(a.totals.totalTokens), money(a.totals.totalCost)]))),
      card('Tools', table(['Tool', 'Calls'], (aggregates.tools?.tools || []).map((t) => [t.name, count(t.count)])))),
    card('By conversation', table(['Conversation', 'Model', 'Tokens', 'Cost'], conversations(sessions).slice(0, 50).map((s) =>
      [s.key ? h('a', { href: `#/chat/${encodeURI(s.key)}` }, s.label || s.key.replace(/^agent:/, '')) : s.label, s.model || '', count(s.usage.totalTokens), money(s.usage.totalCost)]))));
}

/** The dearest first. Those of single requests by HTTP, which no list tells, are one. */
function conversations(sessions) {
  const [all, single] = [[], []];
  for (const s of sessions) if (s.usage) (/^agent:[^:]+:(openai|openresponses):[^:]+$/.test(s.key) ? single : all).push(s);
  const sum = (name) => single.reduce((n, s) => n + (s.usage[name] || 0), 0);
  const models = [...new Set(single.map((s) => s.model || ''))];
  if (single.length) {
    all.push({ label: `Requests by HTTP (${single.length})`, model: models.length === 1 ? models[0] : '',
      usage: { totalTokens: sum('totalTokens'), totalCost: sum('totalCost') } });
  }
  return all.sort((a, b) => b.usage.totalCost - a.usage.totalCost || b.usage.totalTokens - a.usage.totalTokens);
}

function table(heads, rows) {
  if (!rows.length) return h('p.muted', null, 'None.');
  const side = (n) => (n && n >= heads.length - 2 && heads[n] !== 'Model' ? 'right' : null);
  return h('div.table-scroll', { tabindex: 0, role: 'region', 'aria-label': heads[0] }, h('table', null,
    h('thead', null, h('tr', null, heads.map((words, n) => h('th', { scope: 'col', class: side(n) }, words)))),
    h('tbody', null, rows.map((row) => h('tr', null, row.map((cell, n) => h('td', { class: side(n) }, cell)))))));
}

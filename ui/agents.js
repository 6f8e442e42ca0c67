// Agents: who there is, making, changing and removing one, the texts that each lives by (AGENTS.md and its like), its skills.
import { h, fill, head, card, button, field, dialog, attempt, pill, moment, bytes, select } from './dom.js';
import { wire } from './wire.js';
import { markdown } from './markdown.js';

export function mount(root, app, arg) {
  const body = h('div');
  let open = arg;
  // The one editor that is open.
  const editor = { unsaved: () => '', discard: () => {} };
  const load = async () => {
    if (!wire.isOpen) return;
    try {
      const list = await wire.call('agents.list');
      editor.unsaved = () => '';
      const [id, ...file] = (open || '').split('/');
      const agent = list.agents.find((a) => a.id === id);
      if (agent && file.length) await drawFile(body, app, agent, file.join('/'), editor);
      else if (agent) await drawAgent(body, app, agent, list, load, editor);
      else drawList(body, app, list, load);
    } catch (e) {
      fill(body, h('div.outcome.bad', { role: 'alert' }, e.message));
    }
  };
  fill(root, body);
  const off = wire.on('open', () => editor.unsaved() || body.querySelector('textarea') || load());
  load();
  return {
    arg: async (next) => { open = next; await load(); root.querySelector('h1')?.focus(); },
    unsaved: () => editor.unsaved(),
    discard: () => editor.discard(),
    leave: off,
  };
}

const nameOf = (a) => a.identity?.name || a.name || a.id;

function drawList(body, app, list, load) {
  fill(body, head('Agents', 'Each has a workspace, a character and conversations of its own.', button('New agent…', () => create(app, load), { class: 'primary' })),
    h('section.card', { 'aria-label': 'Agents' }, h('ul.items', null, list.agents.map((a) => h('li', null,
      h('div.grow', null, h('div.name', null, a.identity?.emoji && h('span', null, a.identity.emoji), h('a', { href: `#/agents/${a.id}` }, nameOf(a)), a.id === list.defaultId && pill('default', 'ok')),
        h('p.small', null, a.id, a.identity?.theme && ` · ${a.identity.theme}`)),
      h('div.actions', null, button('Chat', () => app.go('chat', `agent:${a.id}:${list.mainKey || 'main'}`)), button('Open', () => app.go('agents', a.id))))))));
}

async function create(app, load) {
  const name = h('input', { required: true });
  const workspace = h('input', { placeholder: '~/.openclaw/workspace-name' });
  const emoji = h('input', { maxlength: 8 });
  name.addEventListener('input', () => { workspace.placeholder = `~/.openclaw/workspace-${slug(name.value) || 'name'}`; });
  const form = h('div.stack', null, field('Name', name), field('Workspace', workspace, 'A folder on the gateway’s machine; made if it is not there.'), field('Emoji', emoji));
  if (!await dialog('New agent', form, [['Cancel', null], ['Make it', true, 'primary']])) return;
  await attempt(async () => {
    const params = { name: name.value.trim(), workspace: workspace.value.trim() || `~/.openclaw/workspace-${slug(name.value)}` };
    if (emoji.value.trim()) params.emoji = emoji.value.trim();
    const made = await wire.call('agents.create', params);
    app.go('agents', made.agentId);
  }, 'Made.');
  load();
}

const slug = (text) => text.trim().toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

async function drawAgent(body, app, agent, list, load, editor) {
  const [files, models, skills] = await Promise.all([
    wire.call('agents.files.list', { agentId: agent.id }),
    wire.call('models.list').catch(() => ({ models: [] })),
    wire.has('skills.status') ? wire.call('skills.status', { agentId: agent.id }) : { skills: [], problems: [] },
  ]);
  const name = h('input', { value: agent.name || agent.identity?.name || '' });
  const model = select([['', '(unchanged)'], ...models.models.map((m) => [`${m.provider}/${m.id}`, `${m.provider}/${m.id}`])], '');
  const save = () => attempt(async () => {
    const params = { agentId: agent.id };
    if (name.value.trim()) params.name = name.value.trim();
    if (model.value) params.model = model.value;
    await wire.call('agents.update', params);
    editor.unsaved = () => '';
    await load();
  }, 'Saved.');
  const remove = async () => {
    const isToGo = h('input', { type: 'checkbox' });
    const sure = await dialog(`Delete ${nameOf(agent)}?`, [h('p', null, 'Its conversations are put into the trash below the state directory.'), h('label.row', null, isToGo, 'Put its workspace there too')],
      [['Cancel', null], ['Delete', true, 'danger']]);
    if (sure && await attempt(() => wire.call('agents.delete', { agentId: agent.id, deleteFiles: isToGo.checked }), 'Deleted.')) app.go('agents');
  };
  const before = name.value;
  editor.unsaved = () => (name.value === before && !model.value ? '' : 'Name or model of the agent is changed.');
  editor.discard = () => { name.value = before; model.value = ''; };
  fill(body,
    head(`${agent.identity?.emoji || ''} ${nameOf(agent)}`.trim(), files.workspace, button('All agents', () => app.go('agents')),
      button('Chat', () => app.go('chat', `agent:${agent.id}:${list.mainKey || 'main'}`), { class: 'primary' })),
    card('Files', h('ul.items', null, files.files.map((f) => h('li', null,
      h('div.grow', null, h('div.name', null, h('a', { href: `#/agents/${agent.id}/${encodeURI(f.name)}` }, f.name), f.missing && pill('not there')),
        h('p.small', null, FILES[f.name] || '')),
      h('span.small', null, f.missing ? '' : [bytes(f.size || 0), ' · ', moment(f.updatedAtMs)]))))),
    drawSkills(skills, load),
    card('Settings', h('div.stack', null, field('Name', name), field('Model', model), h('div.actions', null,
      button('Save', save, { class: 'primary' }), agent.id !== list.defaultId && button('Delete…', remove, { class: 'danger' })))));
}

/** What it can do by instructions, what that lacks, and how to get it. */
function drawSkills({ skills, managedSkillsDir, problems }, load) {
  const turn = (one) => attempt(() => wire.call('skills.update', { skillKey: one.skillKey, enabled: one.disabled }), one.disabled ? 'On.' : 'Off.').then(load);
  const state = (one) => (one.disabled ? pill('off') : one.blockedByAllowlist ? pill('not allowed', 'warn') : one.eligible ? pill('ready', 'ok') : pill('not ready', 'warn'));
  const lacks = (one) => Object.entries(one.missing).filter(([, names]) => names.length).map(([kind, names]) => `${kind}: ${names.join(', ')}`).join(' · ');
  const row = (one) => h('li', null,
    h('div.grow', null, h('div.name', null, one.emoji && h('span', null, one.emoji), one.name, state(one)), h('p.small', null, one.description),
      (one.problem || lacks(one)) && h('p.small', null, one.problem || `Missing ${lacks(one)}`),
      one.eligible ? '' : one.byHand.map((line) => h('p.small', null, line))),
    wire.has('skills.update') && button(one.disabled ? 'Switch on' : 'Switch off', () => turn(one), { 'aria-label': `${one.disabled ? 'Switch on' : 'Switch off'} ${one.name}` }));
  return card(`Skills (${skills.length})`, skills.length ? h('ul.items', null, skills.map(row)) : h('p.small', null, `None yet: a folder with a SKILL.md in the workspace’s skills/ or in ${managedSkillsDir || 'the state directory'} is one.`),
    problems.map((why) => h('div.outcome.bad', null, why)));
}

const FILES = {
  'AGENTS.md': 'How it works: rules, habits, what to do and what to leave',
  'SOUL.md': 'Its character and voice',
  'TOOLS.md': 'What it should know about its tools',
  'IDENTITY.md': 'Name, emoji, avatar',
  'USER.md': 'Who you are',
  'HEARTBEAT.md': 'What to look after at each heartbeat',
  'BOOTSTRAP.md': 'Read once, when the workspace is new',
  'MEMORY.md': 'What it remembers for good',
  'memory.md': 'What it remembers for good',
};

async function drawFile(body, app, agent, name, editor) {
  const { file } = await wire.call('agents.files.get', { agentId: agent.id, name });
  let kept = file.content || '';
  const area = h('textarea.code', { rows: 24, spellcheck: 'false', 'aria-label': name, oninput: () => { bar.hidden = area.value === kept; } });
  area.value = kept;
  const shown = h('div.card', { hidden: true });
  const save = () => attempt(async () => {
    await wire.call('agents.files.set', { agentId: agent.id, name, content: area.value });
    kept = area.value;
    bar.hidden = true;
  }, `${name} is saved; it counts from the next turn on.`);
  const bar = h('div.savebar', { hidden: true }, h('p', null, 'Not saved yet.'), button('Discard', () => { area.value = kept; bar.hidden = true; }), button('Save', save, { class: 'primary' }));
  area.addEventListener('keydown', (e) => { if (e.key === 's' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); save(); } });
  const look = button('Preview', () => {
    shown.hidden = !shown.hidden;
    area.hidden = !shown.hidden;
    look.textContent = shown.hidden ? 'Preview' : 'Edit';
    fill(shown, markdown(area.value));
  });
  fill(body, head(name, `${nameOf(agent)} · ${FILES[name] || ''}`, look, button('Back', () => app.go('agents', agent.id))), area, shown, bar);
  editor.unsaved = () => (area.value === kept ? '' : `What you wrote in ${name} is not saved.`);
  editor.discard = () => { area.value = kept; };
}

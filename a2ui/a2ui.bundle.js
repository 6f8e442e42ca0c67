// Shows surfaces that an agent describes (A2UI 0.8): components by id, a tree that begins at a root, values in a model.
//
// window.openclawA2UI takes messages: applyMessages(array), reset(), getSurfaces(). What a message does not know is
// passed over; nothing of it is taken for HTML, a script or a style. A message draws its surface anew; what a user types
// goes into the model at once, and only what shows it changes. What he asks for goes to the app by bridge.js.
(() => {
  "use strict";

  const MOST = 5000; // elements of a surface
  const DEEPEST = 50;
  const surfaces = new Map();
  const host = () => document.querySelector("openclaw-a2ui-host");
  const make = (name, className, ...children) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...children.filter((child) => child != null));
    return element;
  };

  // The model: objects without a prototype, lists as objects with numbers for names.
  const keys = (path) => String(path).split("/").filter(Boolean);
  const isMap = (value) => value !== null && typeof value === "object";
  const from = (value) => {
    if (!isMap(value)) return value;
    const map = Object.create(null);
    for (const [key, inner] of Object.entries(value)) map[key] = from(inner);
    return map;
  };
  const read = (model, path) =>
    keys(path).reduce((at, key) => (isMap(at) && Object.hasOwn(at, key) ? at[key] : undefined), model);
  const write = (surface, path, value) => {
    const names = keys(path);
    const last = names.pop();
    if (last === undefined) return void (surface.model = isMap(value) ? value : Object.create(null));
    let at = surface.model;
    for (const name of names) {
      if (!isMap(at[name])) at[name] = Object.create(null);
      at = at[name];
    }
    at[last] = value;
  };
  const entry = (one) => {
    if (Array.isArray(one.valueMap)) return table(one.valueMap);
    return one.valueString ?? one.valueNumber ?? one.valueBoolean ?? null;
  };
  const table = (contents) => {
    const map = Object.create(null);
    for (const one of contents) if (one && one.key !== undefined) map[one.key] = entry(one);
    return map;
  };
  const list = (value) => {
    if (Array.isArray(value)) return value;
    if (!isMap(value)) return value === undefined || value === null || value === "" ? [] : [value];
    return Object.values(value);
  };

  // What the parts of one component see: its surface, and where in the model a template's copy stands.
  const absolute = (path, base) => (String(path).startsWith("/") ? String(path) : `${base}/${path}`);
  const value = (bound, at) => {
    if (!isMap(bound)) return bound;
    const literal = ["literalString", "literalNumber", "literalBoolean", "literalArray", "literal"]
      .map((name) => bound[name])
      .find((one) => one !== undefined);
    if (bound.path === undefined) return literal;
    const path = absolute(bound.path, at.base);
    if (literal !== undefined && read(at.surface.model, path) === undefined) write(at.surface, path, from(literal));
    return read(at.surface.model, path);
  };
  const text = (bound, at) => {
    const found = value(bound, at);
    return found === undefined || found === null ? "" : isMap(found) ? JSON.stringify(found) : String(found);
  };
  // Shows a value now and whenever the model changes.
  const bind = (at, show) => {
    at.surface.live.push(show);
    show();
  };
  const store = (bound, at, found) => {
    if (bound?.path === undefined) return;
    write(at.surface, absolute(bound.path, at.base), found);
    for (const show of at.surface.live) show();
  };

  const address = (url, kinds) => {
    try {
      const found = new URL(url, document.baseURI);
      return kinds.includes(found.protocol) ? found.href : "";
    } catch {
      return "";
    }
  };
  const media = (url) => (url ? address(url, ["http:", "https:", "data:", "blob:"]) : "");

  // Marks within a line: **bold**, *emphasis*, `code`, [a link](https://...).
  const inline = (source) => {
    const parts = [];
    let rest = 0;
    for (const found of source.matchAll(/\*\*(.+?)\*\*|\*([^\s*](?:[^*]*[^\s*])?)\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g)) {
      const [all, bold, soft, code, label, url] = found;
      const link = url && address(url, ["http:", "https:", "mailto:"]);
      if (url && !link) continue;
      parts.push(source.slice(rest, found.index));
      if (bold) parts.push(make("strong", "", ...inline(bold)));
      else if (soft) parts.push(make("em", "", soft));
      else if (code) parts.push(make("code", "", code));
      else parts.push(Object.assign(make("a", "", label), { href: link, target: "_blank", rel: "noopener noreferrer" }));
      rest = found.index + all.length;
    }
    return [...parts, source.slice(rest)];
  };

  // Lines of the icons of the catalogue, on a square of 24.
  const ICONS = {
    accountCircle: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7a3 3 0 1 0 0 6a3 3 0 0 0 0-6M6.5 18.5c1-3 10-3 11 0",
    add: "M12 5v14M5 12h14",
    arrowBack: "M20 12H4M10 6l-6 6l6 6",
    arrowForward: "M4 12h16M14 6l6 6l-6 6",
    attachFile: "M18 8l-8 8a2 2 0 0 1-3-3l8-8a4 4 0 0 1 6 6l-9 9a6 6 0 0 1-8-8l7-7",
    calendarToday: "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
    call: "M5 4h4l2 5l-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a1 1 0 0 1-1 1A16 16 0 0 1 4 5a1 1 0 0 1 1-1",
    camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 10a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7",
    check: "M5 13l5 5L20 7",
    close: "M6 6l12 12M18 6L6 18",
    delete: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
    download: "M12 4v11M7 11l5 5l5-5M5 20h14",
    edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
    event: "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4M13 14h3v3h-3z",
    error: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v6M12 16.5v.5",
    favorite: "M12 20C2 13 3 5 8 5c2 0 3.5 1.5 4 3c.5-1.5 2-3 4-3c5 0 6 8-4 15",
    favoriteOff: "M12 20C2 13 3 5 8 5c2 0 3.5 1.5 4 3c.5-1.5 2-3 4-3c5 0 6 8-4 15M4 4l16 16",
    folder: "M3 6h6l2 2h10v11H3z",
    help: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M9.5 9.5c0-3.5 5-3 5 0c0 2-2.5 2-2.5 4M12 16.5v.5",
    home: "M4 11l8-7l8 7M6 10v10h12V10M10 20v-6h4v6",
    info: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 11v6M12 7v.5",
    locationOn: "M12 21C7 15 5 12 5 9a7 7 0 0 1 14 0c0 3-2 6-7 12M12 6.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5",
    lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
    lockOpen: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8-1",
    mail: "M3 6h18v12H3zM3 7l9 7l9-7",
    menu: "M4 7h16M4 12h16M4 17h16",
    moreVert: "M12 5v.5M12 12v.5M12 19v.5",
    moreHoriz: "M5 12h.5M12 12h.5M19 12h.5",
    notificationsOff: "M6 17V11a6 6 0 0 1 12 0v6l1 1H5zM10 21h4M4 4l16 16",
    notifications: "M6 17V11a6 6 0 0 1 12 0v6l1 1H5zM10 21h4",
    payment: "M3 6h18v12H3zM3 10h18M7 15h4",
    person: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M4 20c1-7 15-7 16 0",
    phone: "M7 3h10v18H7zM11 18h2",
    photo: "M4 5h16v14H4zM4 16l5-5l4 4l3-3l4 4M15.5 8v.5",
    print: "M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z",
    refresh: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
    search: "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L20 20",
    send: "M4 4l17 8l-17 8l3-8zM7 12h8",
    settings: "M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 3v3M12 18v3M3 12h3M18 12h3M5.5 5.5l2 2M16.5 16.5l2 2M18.5 5.5l-2 2M7.5 16.5l-2 2",
    share: "M17 4a2 2 0 1 0 0 4a2 2 0 0 0 0-4M7 10a2 2 0 1 0 0 4a2 2 0 0 0 0-4M17 16a2 2 0 1 0 0 4a2 2 0 0 0 0-4M9 11l6-4M9 13l6 4",
    shoppingCart: "M3 4h3l2 11h10l2-8H7M9 19v.5M17 19v.5",
    star: "M12 4l2.5 5.5l6 .5l-4.5 4l1.5 6l-5.5-3.5L6.5 20L8 14l-4.5-4l6-.5z",
    starHalf: "M12 4v12.5L6.5 20L8 14l-4.5-4l6-.5z",
    starOff: "M12 4l2.5 5.5l6 .5l-4.5 4l1.5 6l-5.5-3.5L6.5 20L8 14l-4.5-4l6-.5zM4 4l16 16",
    upload: "M12 16V5M7 9l5-5l5 5M5 20h14",
    visibility: "M2 12c4-8 16-8 20 0c-4 8-16 8-20 0M12 9a3 3 0 1 0 0 6a3 3 0 0 0 0-6",
    visibilityOff: "M2 12c4-8 16-8 20 0c-4 8-16 8-20 0M12 9a3 3 0 1 0 0 6a3 3 0 0 0 0-6M4 4l16 16",
    warning: "M12 4L2.5 20h19zM12 10v5M12 17.5v.5",
  };
  const glyph = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "glyph");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", name);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const known = name.replace(/[_-](.)/g, (_, letter) => letter.toUpperCase());
    path.setAttribute("d", Object.hasOwn(ICONS, known) ? ICONS[known] : "M6 6h12v12H6z");
    svg.append(path);
    return svg;
  };

  const JUSTIFY = { start: "flex-start", center: "center", end: "flex-end", spaceBetween: "space-between", spaceAround: "space-around", spaceEvenly: "space-evenly" };
  const ALIGN = { start: "flex-start", center: "center", end: "flex-end", stretch: "stretch" };
  const flow = (className) => (props, at) => {
    const box = make("div", className, ...children(props.children, at));
    box.style.justifyContent = JUSTIFY[text(props.distribution, at)] ?? "";
    box.style.alignItems = ALIGN[text(props.alignment, at)] ?? "";
    box.classList.toggle("horizontal", text(props.direction, at) === "horizontal");
    return box;
  };
  const children = (told, at) => {
    if (Array.isArray(told)) told = { explicitList: told };
    if (Array.isArray(told?.explicitList)) return told.explicitList.map((id) => draw(id, at));
    const template = told?.template;
    if (!template) return [];
    const base = absolute(template.dataBinding ?? "", at.base);
    const found = read(at.surface.model, base);
    return isMap(found) ? Object.keys(found).map((key) => draw(template.componentId, { ...at, base: `${base}/${key}` })) : [];
  };
  const labelled = (kind, label, at, input) => {
    const name = make("span");
    bind(at, () => (name.textContent = text(label, at)));
    return kind === "check" ? make("label", "check", input, name) : make("label", "field", name, input);
  };

  // An input that shows a value and writes it back.
  const input = (name, props, bound, at, event, get, set) => {
    const element = make(name);
    Object.assign(element, props);
    bind(at, () => set(element, value(bound, at)));
    element.addEventListener(event, () => store(bound, at, get(element)));
    return element;
  };
  const put = (element, found) => {
    const shown = found === undefined || found === null ? "" : String(found);
    if (element.value !== shown) element.value = shown;
  };

  const COMPONENTS = {
    Text(props, at) {
      const hint = text(props.usageHint, at);
      const element = make(/^h[1-5]$/.test(hint) ? hint : "p", hint === "caption" ? "caption" : "");
      bind(at, () => element.replaceChildren(...inline(text(props.text, at))));
      return element;
    },
    Image(props, at) {
      const hint = text(props.usageHint, at);
      const element = make("img", /^\w+$/.test(hint) ? hint : "");
      const fit = text(props.fit, at);
      if (["contain", "cover", "fill", "none", "scale-down"].includes(fit)) element.style.objectFit = fit;
      bind(at, () => {
        const url = media(text(props.url, at));
        if (element.getAttribute("src") !== url) element.src = url;
        element.alt = text(props.altText, at);
      });
      return element;
    },
    Icon(props, at) {
      const box = make("span");
      bind(at, () => box.replaceChildren(glyph(text(props.name, at))));
      return box;
    },
    Video(props, at) {
      const element = Object.assign(make("video"), { controls: true, preload: "metadata", src: media(text(props.url, at)) });
      return element;
    },
    AudioPlayer(props, at) {
      const sound = Object.assign(make("audio"), { controls: true, preload: "metadata", src: media(text(props.url, at)) });
      const told = text(props.description, at);
      sound.setAttribute("aria-label", told || "Sound");
      return make("figure", "", told ? make("figcaption", "caption", told) : null, sound);
    },
    Row: flow("row"),
    Column: flow("column"),
    List: flow("list"),
    Card: (props, at) => make("div", "card", ...(props.child ? [draw(props.child, at)] : children(props.children, at))),
    Divider: (props, at) => {
      const line = make("hr", "divider");
      line.classList.toggle("vertical", text(props.axis, at) === "vertical");
      return line;
    },
    Tabs(props, at) {
      const items = Array.isArray(props.tabItems) ? props.tabItems : [];
      const bar = make("div");
      const panel = make("div");
      bar.setAttribute("role", "tablist");
      panel.setAttribute("role", "tabpanel");
      const panels = [];
      const choose = (chosen) => {
        at.surface.kept.set(at.key, chosen);
        [...bar.children].forEach((tab, n) => {
          tab.setAttribute("aria-selected", n === chosen);
          tab.tabIndex = n === chosen ? 0 : -1;
        });
        panels[chosen] ??= (items[chosen]?.child && draw(items[chosen].child, at)) || "";
        panel.replaceChildren(panels[chosen]);
      };
      items.forEach((item, n) => {
        const tab = Object.assign(make("button"), { type: "button", onclick: () => choose(n) });
        tab.setAttribute("role", "tab");
        bind(at, () => (tab.textContent = text(item?.title, at)));
        bar.append(tab);
      });
      bar.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        choose(((at.surface.kept.get(at.key) ?? 0) + step + items.length) % items.length);
        bar.children[at.surface.kept.get(at.key)].focus();
      });
      choose(Math.min(at.surface.kept.get(at.key) ?? 0, Math.max(items.length - 1, 0)));
      return make("div", "tabs", bar, panel);
    },
    Modal(props, at) {
      const shut = Object.assign(make("button", "shut", "×"), { type: "button", ariaLabel: "Close" });
      const dialog = make("dialog", "", shut, draw(props.contentChild, at));
      const entry = make("div", "", draw(props.entryPointChild, at));
      shut.onclick = () => dialog.close();
      dialog.onclose = () => dialog.isConnected && at.surface.kept.delete(at.key);
      entry.onclick = () => {
        at.surface.kept.set(at.key, true);
        dialog.showModal();
      };
      if (at.surface.kept.get(at.key)) at.surface.after.push(() => dialog.showModal());
      return make("div", "", entry, dialog);
    },
    Button(props, at) {
      const button = make("button", props.primary === true ? "primary" : "", props.child ? draw(props.child, at) : null);
      button.type = "button";
      button.onclick = () => {
        if (!props.action?.name) return;
        const action = { name: props.action.name, context: list(props.action.context) };
        const detail = { action, sourceComponentId: at.id, dataContextPath: at.base || "/" };
        button.dispatchEvent(new CustomEvent("a2uiaction", { bubbles: true, composed: true, detail: { ...detail, at } }));
      };
      return button;
    },
    CheckBox(props, at) {
      const get = (element) => element.checked;
      const set = (element, found) => (element.checked = found === true || found === "true");
      return labelled("check", props.label, at, input("input", { type: "checkbox" }, props.value, at, "change", get, set));
    },
    TextField(props, at) {
      const kind = text(props.textFieldType ?? props.type, at);
      const isLong = kind === "longText";
      const type = { number: "number", date: "date", obscured: "password" }[kind] ?? "text";
      let rule = null;
      try {
        rule = props.validationRegexp ? new RegExp(`^(?:${text(props.validationRegexp, at)})$`, "u") : null;
      } catch {}
      const check = (element) => element.setAttribute("aria-invalid", !!(rule && element.value && !rule.test(element.value)));
      const set = (element, found) => (put(element, found), check(element));
      const get = (element) => (type === "number" && element.value !== "" ? element.valueAsNumber : element.value);
      return labelled("", props.label, at, input(isLong ? "textarea" : "input", isLong ? {} : { type }, props.text, at, "input", get, set));
    },
    DateTimeInput(props, at) {
      const [date, time] = [value(props.enableDate, at), value(props.enableTime, at)];
      const type = time ? (date === false ? "time" : "datetime-local") : "date";
      const length = { date: 10, time: 5, "datetime-local": 16 }[type];
      const fitted = (found) => {
        const whole = found === undefined || found === null ? "" : String(found);
        return (type === "time" ? whole.replace(/^.*T/, "") : whole).slice(0, length);
      };
      const set = (element, found) => put(element, fitted(found));
      const element = input("input", { type }, props.value, at, "input", (element) => element.value, set);
      return labelled("", props.label ?? (type === "time" ? "Time" : "Date"), at, element);
    },
    MultipleChoice(props, at) {
      const options = Array.isArray(props.options) ? props.options : [];
      const most = Number(value(props.maxAllowedSelections, at)) || Infinity;
      const chosen = () => list(value(props.selections, at)).map(String);
      const box = make("div", text(props.variant, at) === "chips" ? "chips" : "column");
      const fields = options.map((option) => {
        const own = String(option?.value ?? "");
        const pick = Object.assign(make("input"), { type: "checkbox" });
        pick.onchange = () => {
          let now = chosen().filter((one) => one !== own);
          if (pick.checked) now = most === 1 ? [own] : [...now, own];
          store(props.selections, at, from(now.slice(0, most)));
        };
        bind(at, () => {
          const now = chosen();
          pick.checked = now.includes(own);
          pick.disabled = most > 1 && !pick.checked && now.length >= most;
        });
        return labelled("check", option?.label, at, pick);
      });
      box.append(...fields);
      if (value(props.filterable, at) !== true) return make("fieldset", "", box);
      const filter = Object.assign(make("input"), { type: "search", placeholder: "Filter", ariaLabel: "Filter" });
      filter.oninput = () =>
        fields.forEach((field) => (field.hidden = !field.textContent.toLowerCase().includes(filter.value.toLowerCase())));
      return make("fieldset", "", filter, box);
    },
    Slider(props, at) {
      const shown = make("output");
      const set = (element, found) => {
        put(element, found ?? element.min);
        shown.textContent = element.value;
      };
      const bounds = { type: "range", min: value(props.minValue, at) ?? 0, max: value(props.maxValue, at) ?? 100 };
      const slider = input("input", { ...bounds, step: "any" }, props.value, at, "input", (element) => Number(element.value), set);
      if ([bounds.min, bounds.max].every(Number.isInteger)) slider.step = 1;
      const label = labelled("", props.label, at, slider);
      label.append(shown);
      return label;
    },
  };

  // The element of a component, or nothing where there is none of that id or kind.
  const draw = (id, at) => {
    const known = at.surface.components.get(id);
    const [kind, props] = Object.entries(known?.component ?? {})[0] ?? [];
    if (!kind || !Object.hasOwn(COMPONENTS, kind) || at.depth >= DEEPEST || at.surface.drawn >= MOST) return null;
    at.surface.drawn += 1;
    const key = `${id}@${at.base}`;
    const element = COMPONENTS[kind](isMap(props) ? props : {}, { ...at, id, key, depth: at.depth + 1 });
    element.dataset.key = key;
    if (Number(known.weight) > 0) element.style.flex = `${Number(known.weight)} 1 0`;
    return element;
  };

  const COLOUR = /^(#[0-9a-f]{3,8}|[a-z]+)$/i;
  const drawSurface = (id, surface) => {
    const element = (surface.element ??= make("section", "surface"));
    element.dataset.surface = id;
    Object.assign(surface, { live: [], after: [], drawn: 0 });
    const { primaryColor, font } = surface.styles ?? {};
    if (COLOUR.test(primaryColor ?? "")) element.style.setProperty("--primary", primaryColor);
    if (/^[\w ,-]+$/.test(font ?? "")) element.style.fontFamily = font;
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.closest("[data-key]")?.dataset.key;
    const [start, end] = [focused?.selectionStart, focused?.selectionEnd];
    element.replaceChildren(draw(surface.root, { surface, base: "", depth: 0 }) ?? "");
    if (!element.isConnected) host()?.append(element);
    for (const then of surface.after) then();
    const again = key && [...element.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    const field = again?.matches("button") ? again : again?.querySelector("input, textarea, button");
    field?.focus();
    if (field && start != null) try { field.setSelectionRange(start, end); } catch {}
  };

  const surfaceOf = (id) => {
    const name = String(id ?? "main");
    if (!surfaces.has(name)) surfaces.set(name, { components: new Map(), model: Object.create(null), kept: new Map() });
    return [name, surfaces.get(name)];
  };
  const MESSAGES = {
    surfaceUpdate(message) {
      const [name, surface] = surfaceOf(message.surfaceId);
      for (const one of list(message.components)) if (one?.id !== undefined) surface.components.set(one.id, one);
      return name;
    },
    dataModelUpdate(message) {
      const [name, surface] = surfaceOf(message.surfaceId);
      const contents = list(message.contents);
      const isOne = contents.length === 1 && contents[0]?.key === ".";
      write(surface, message.path ?? "/", isOne ? entry(contents[0]) : table(contents));
      return name;
    },
    beginRendering(message) {
      const [name, surface] = surfaceOf(message.surfaceId);
      Object.assign(surface, { root: message.root, styles: message.styles ?? surface.styles });
      return name;
    },
    deleteSurface(message) {
      const name = String(message.surfaceId ?? "main");
      surfaces.get(name)?.element?.remove();
      surfaces.delete(name);
      return name;
    },
  };

  // What the user did: said to the app, and shown until the agent has answered it.
  let pending = null;
  let timer = 0;
  const say = (className, words, time) => {
    clearTimeout(timer);
    document.querySelector(".toast, .state")?.remove();
    if (!words) return;
    const line = make("div", className, words);
    line.setAttribute("role", "status");
    document.body.append(line);
    if (time) timer = setTimeout(() => line.remove(), time);
  };
  const fail = (why) => {
    pending = null;
    say("toast", why, 4000);
  };
  const onAction = ({ detail }) => {
    const { action, sourceComponentId, at } = detail;
    const context = Object.create(null);
    for (const one of action.context) if (one?.key !== undefined) context[one.key] = value(one.value, at) ?? null;
    const surfaceId = [...surfaces].find(([, surface]) => surface === at.surface)?.[0] ?? "main";
    const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16).padStart(8, "0"))
      .join("")
      .replace(/^(.{8})(.{4}).(.{3}).(.{3})/, "$1-$2-4$3-8$4-");
    const userAction = { id, name: action.name, surfaceId, sourceComponentId, timestamp: new Date().toISOString() };
    if (Object.keys(context).length) userAction.context = JSON.parse(JSON.stringify(context));
    globalThis.__openclawLastA2UIAction = userAction;
    pending = { id, name: action.name };
    say("state", `Sending: ${action.name}`);
    if (!globalThis.openclawSendUserAction?.(userAction)) fail(`Failed: ${action.name}: this page is not in an app that takes actions`);
  };
  addEventListener("openclaw:a2ui-action-status", ({ detail }) => {
    if (!pending || detail?.id !== pending.id) return;
    if (detail.ok) say("state", `Working: ${pending.name}`);
    else fail(`Failed: ${pending.name}${detail.error ? `: ${detail.error}` : ""}`);
  });

  const showEmpty = () => {
    const isShown = [...surfaces.values()].some((surface) => surface.root !== undefined);
    host()?.querySelector(".empty")?.remove();
    if (!isShown) host()?.append(make("div", "empty", make("b", "", "Canvas"), "Waiting for the agent."));
  };
  globalThis.openclawA2UI = {
    applyMessages(messages) {
      if (!Array.isArray(messages)) throw new Error("A2UI: expected messages array");
      const touched = new Set();
      for (const message of messages)
        for (const [kind, told] of Object.entries(message ?? {}))
          if (Object.hasOwn(MESSAGES, kind) && isMap(told)) touched.add(MESSAGES[kind](told));
      for (const name of touched) {
        const surface = surfaces.get(name);
        if (surface && surface.root !== undefined) drawSurface(name, surface);
      }
      showEmpty();
      if (pending) say("state", `Updated: ${pending.name}`, 1100);
      pending = null;
      return { ok: true, surfaces: [...surfaces.keys()] };
    },
    reset() {
      for (const name of [...surfaces.keys()]) MESSAGES.deleteSurface({ surfaceId: name });
      pending = null;
      say();
      showEmpty();
      return { ok: true };
    },
    getSurfaces: () => [...surfaces.keys()],
  };

  // What the apps draw on, and their line of words.
  const canvas = document.getElementById("openclaw-canvas");
  const status = document.getElementById("openclaw-status");
  const fitCanvas = () => Object.assign(canvas, { width: innerWidth * devicePixelRatio, height: innerHeight * devicePixelRatio });
  let isDebugging = false;
  globalThis.__openclaw = {
    canvas,
    ctx: canvas.getContext("2d"),
    setDebugStatusEnabled(is) {
      isDebugging = !!is;
      if (!isDebugging) status.hidden = true;
    },
    setStatus(title, subtitle) {
      status.firstElementChild.textContent = title ?? "";
      status.lastElementChild.textContent = subtitle ?? "";
      status.hidden = !isDebugging || !(title || subtitle);
    },
  };
  addEventListener("resize", fitCanvas);
  fitCanvas();

  const platform = new URLSearchParams(location.search).get("platform")?.trim().toLowerCase();
  const guess = /android/i.test(navigator.userAgent) ? "android" : "";
  if (platform || guess) document.documentElement.dataset.platform = platform || guess;
  customElements.define(
    "openclaw-a2ui-host",
    class extends HTMLElement {
      connectedCallback() {
        this.addEventListener("a2uiaction", onAction);
        showEmpty();
      }
    },
  );
})();

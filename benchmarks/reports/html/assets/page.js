// ---- the form

function drawForm() {
  if (document.activeElement !== byId("q")) byId("q").value = state.q ?? "";
  for (const select of byId("facets").querySelectorAll("select")) select.value = state[select.name] ?? "";
  byId("active").replaceChildren(...facets.filter((facet) => state[facet.key] !== undefined).map((facet) => {
    const option = facet.options.find(([value]) => value === state[facet.key]);
    const button = make("button", { type: "button" }, plain(`${facet.label}: ${option ? option[1].replace(/ \([\d,]+\)$/, "") : state[facet.key]}`), " ×");
    button.addEventListener("click", () => change({ [facet.key]: undefined }));
    return make("li", {}, button);
  }));
}

function change(filters) {
  write({ ...filters, item: undefined, page: undefined });
  refresh();
  byId("list").scrollTop = 0;
}

function refresh() {
  search();
  drawForm();
  drawList();
  drawDetail();
}

function makeForm() {
  byId("facets").replaceChildren(...facets.map((facet) => {
    const options = facet.options.map(([value, text]) => make("option", { value }, plain(text.slice(0, 200)).textContent));
    const select = make("select", { name: facet.key }, make("option", { value: "" }, "any"), ...options);
    select.addEventListener("change", () => change({ [facet.key]: select.value || undefined }));
    return make("label", {}, facet.label, select);
  }));
  byId("q").addEventListener("input", () => change({ q: byId("q").value }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => {
    const hidden = byId("facets").toggleAttribute("hidden");
    byId("more").setAttribute("aria-expanded", String(!hidden));
  });
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
}

function turn(by) {
  write({ page: String(Number(byId("pages").dataset.first) / PAGE + by) });
  drawList();
  narrow.matches ? scrollTo(0, 0) : (byId("list").scrollTop = 0);
}

// ---- start

function leave() {
  write({ item: undefined, page: String(Math.floor(Math.max(0, current()) / PAGE)) });
  drawList();
  drawDetail();
  byId("list").focus({ preventScroll: true });
}

function keys(event) {
  if (document.body.dataset.view !== "items" || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea"), inList = event.target === byId("list");
  const moves = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 } : {}) };
  if (event.key === "Escape") typing ? (event.target.blur(), byId("list").focus()) : narrow.matches && leave();
  else if (typing) return;
  else if (event.key === "/") byId("q").focus();
  else if (inList && event.key === "Enter") byId("detail").focus();
  else if (inList && (event.key === "Home" || event.key === "End")) step(event.key === "Home" ? -Infinity : Infinity);
  else if (event.key in moves) step(moves[event.key]);
  else return;
  event.preventDefault();
}

async function route() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const view = read();
  document.body.dataset.view = view;
  for (const each of ["overview", "items"]) byId(`to-${each}`).setAttribute("aria-current", each === view ? "page" : "false");
  if (view === "items") {
    data ?? (await start());
    refresh();
  }
}

async function start() {
  if (!("DecompressionStream" in window)) {
    byId("items").replaceChildren(make("p", { class: "notice" }, "This browser is too old to unpack the items. Use a browser from 2023 or later."));
    throw new Error("no DecompressionStream");
  }
  data = await unpack("index");
  facets = makeFacets();
  makeForm();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

byId("theme").addEventListener("click", theme);
document.addEventListener("keydown", keys);
addEventListener("hashchange", route);
narrow.addEventListener("change", () => data && document.body.dataset.view === "items" && refresh());
route();

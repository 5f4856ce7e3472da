// ---- the list

const current = () => shown.indexOf(Number(state.item ?? -1));

function drawList() {
  const pages = Math.max(1, Math.ceil(shown.length / PAGE)), at = Math.max(0, current());
  const first = Math.min(pages - 1, Number(state.page ?? Math.floor(at / PAGE)) || 0) * PAGE;
  const page = shown.slice(first, first + PAGE), chosen = shown[at];
  byId("list").replaceChildren(...page.map((place) => row(place, place === chosen)));
  byId("list").setAttribute("aria-activedescendant", chosen === undefined ? "" : `row-${chosen}`);
  byId("found").textContent = `${shown.length.toLocaleString("en")} of ${data.entries.length.toLocaleString("en")} items`;
  byId("page").textContent = `${first / PAGE + 1} of ${pages}`;
  byId("pages").dataset.first = String(first);
  byId("before").disabled = first === 0;
  byId("after").disabled = first + PAGE >= shown.length;
  byId("pages").hidden = pages === 1;
  if (!narrow.matches) byId(`row-${chosen}`)?.scrollIntoView({ block: "nearest" });
}

function row(place, chosen) {
  const entry = data.entries[place], found = Object.entries(entry.items);
  const where = [entry.db, entry.difficulty, found.length === 1 && found[0][1].step !== null ? `step ${found[0][1].step}` : "",
    found.length === 1 ? found[0][1].classes[0] : ""].filter(Boolean).join(" · ");
  const line = make("li", { id: `row-${place}`, role: "option", "aria-selected": String(chosen) },
    make("div", { class: "ask", dir: "auto" }, plain(entry.question.slice(0, 300))),
    make("div", { class: "about" }, make("span", { class: "where" }, plain(where)), verdicts(found)));
  line.addEventListener("click", () => open(place));
  return line;
}

function verdicts(found) {
  if (found.length === 1) return verdict(found[0][1]);
  const marks = found.map(([run, item]) => make("span",
    { class: `verdict ${item.verdict}-answer`, title: `${data.runs[run].name}: ${item.verdict}`, "aria-label": `${item.verdict}` },
    VERDICTS[item.verdict][0]));
  return make("span", {}, ...marks.flatMap((mark) => [mark, " "]));
}

const verdict = (item) => make("span", { class: `verdict ${item.verdict}-answer` }, VERDICTS[item.verdict]);

function open(place, focus = false) {
  write({ item: String(place), page: undefined }, state.item === undefined);
  drawList();
  drawDetail();
  if (narrow.matches) scrollTo(0, 0);
  if (focus && !narrow.matches) byId("list").focus({ preventScroll: true });
}

function step(by) {
  if (!shown.length) return;
  const at = current();
  open(shown[Math.min(shown.length - 1, Math.max(0, at < 0 && by > 0 && narrow.matches ? 0 : Math.max(0, at) + by))], true);
}

// ---- the detail

let drawing = 0;

async function drawDetail() {
  const mine = ++drawing, place = current() >= 0 ? Number(state.item) : narrow.matches ? undefined : shown[0];
  byId("items").dataset.open = String(current() >= 0);
  if (place === undefined) return byId("detail").replaceChildren(make("p", { class: "muted" }, "No item fits the filter."));
  const found = await details(place);
  if (mine !== drawing) return;
  const entry = data.entries[place], runs = Object.keys(entry.items);
  const facts = [entry.id, entry.db, entry.difficulty, ...Object.values(entry.features).filter((level) => !level.startsWith("no "))];
  const back = make("button", { id: "back", type: "button" }, "← All items");
  back.addEventListener("click", leave);
  byId("detail").replaceChildren(...[
    back,
    make("h2", { dir: "auto" }, plain(entry.question)),
    make("p", { class: "facts" }, ...facts.filter(Boolean).map((fact) => make("span", { class: "chip" }, plain(fact)))),
    entry.evidence ? make("p", { class: "evidence", dir: "auto" }, plain(entry.evidence)) : null,
    ...runs.map((run) => answer(entry, found, run, runs.length < 4 || run === (state.run ?? runs[0]))),
    data.schemas[entry.db] ? folded("Schema", make("pre", {}, plain(data.schemas[entry.db]))) : null,
  ].filter((each) => each !== null));
  byId("detail").scrollTop = 0;
}

const folded = (title, ...content) => make("details", {}, make("summary", {}, title), ...content);
const titled = (title, ...content) => make("div", {}, make("h4", {}, title), ...content);

function answer(entry, found, run, isOpen) {
  const item = entry.items[run], detail = found.items[run];
  const [primary, ...others] = item.classes;
  return make("details", { class: "answer", open: isOpen },
    make("summary", {},
      data.runs.length > 1 ? make("span", {}, make("span", { class: `swatch run-${run % 8}` }), plain(data.runs[run].name)) : null,
      verdict(item),
      item.step === null ? null : make("span", { class: "muted" }, `step ${item.step}`),
      primary ? make("span", { class: "chip primary", title: data.classes[primary] }, primary) : null,
      ...others.map((name) => make("span", { class: "chip", title: data.classes[name] }, name)),
      item.status === "ok" ? null : make("span", { class: "chip" }, plain(item.status))),
    item.error ? make("p", { class: "fault", dir: "auto" }, plain(item.error)) : null,
    detail.reasoning ? titled("Reasoning", make("div", { class: "text", dir: "auto" }, plain(detail.reasoning))) : null,
    make("div", { class: "beside" },
      titled("Gold SQL", query(detail.gold, "gold")),
      titled("Predicted SQL", detail.sql ? query(detail.sql, "ours") : make("p", { class: "muted" }, "No SQL: the completion does not follow its response format."))),
    make("div", { class: "beside" },
      titled(`Gold result${rows(found.gold)}`, table(found.gold, detail.goldMarks, "gold")),
      titled(`Predicted result${rows(detail.result)}`, table(detail.result, detail.marks, "ours"))),
    numbers({ ...(item.total === null ? {} : { reward: item.total }), ...detail.components, ...detail.metrics }),
    detail.candidates.length ? folded(`Candidates (${detail.candidates.length})`, candidates(detail.candidates)) : null,
    detail.completion ? folded("Completion", make("pre", {}, plain(detail.completion))) : null);
}

// Pieces that both queries share and pieces that differ, by turns.
function query(pieces, side) {
  return make("pre", {}, ...pieces.map((piece, i) => (i % 2 ? make("mark", { class: side }, plain(piece)) : plain(piece))));
}

function rows(result) {
  if (!result) return "";
  const count = `${result.row_count.toLocaleString("en")} row${result.row_count === 1 ? "" : "s"}`;
  return result.row_count > result.rows.length ? `: ${count}, first ${result.rows.length} shown` : `: ${count}`;
}

function table(result, marks, side) {
  if (!result) return make("p", { class: "muted" }, "No result.");
  const cut = result.columns.length > COLUMNS;
  const head = make("tr", {}, ...result.columns.slice(0, COLUMNS).map((name) => make("th", { scope: "col" }, plain(name.slice(0, 500)))));
  const body = result.rows.map((cells, i) => make("tr", {}, ...cells.slice(0, COLUMNS).map((value, k) => cell(value, marks[i]?.includes(k), side))));
  return make("div", {},
    make("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Result" },
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))),
    cut ? make("p", { class: "muted" }, `First ${COLUMNS} of ${result.columns.length} columns.`) : null);
}

function cell(value, differs, side) {
  const name = `${typeof value === "number" ? "figure " : ""}${differs ? `differs ${side}` : ""}`.trim();
  const text = value === null ? make("span", { class: "null" }, "NULL") : plain(formatValue(value));
  return make("td", { class: name || null, title: differs ? "not in the other result" : null }, make("div", { dir: "auto" }, text));
}

function formatValue(value) {
  if (typeof value !== "object") return String(value);
  if ("hex" in value) return `x'${value.hex}'${value.length * 2 > value.hex.length ? `… (${value.length} bytes)` : ""}`;
  return "text" in value ? `${value.text}… (${value.length} characters)` : value.number;
}

function numbers(values) {
  const found = Object.entries(values).filter(([, value]) => value !== null);
  if (!found.length) return null;
  return make("dl", { class: "numbers" }, ...found.map(([name, value]) =>
    make("div", {}, make("dt", {}, plain(name)), make("dd", {}, String(Math.round(value * 1e4) / 1e4)))));
}

function candidates(list) {
  const lines = list.map((each) => make("tr", {},
    make("td", {}, make("div", {}, plain(each.sql))), make("td", {}, plain(each.status)),
    make("td", {}, each.correct === null ? "masked" : each.correct ? "✓ right" : "✗ wrong"), make("td", { class: "figure" }, String(each.votes))));
  const head = make("tr", {}, ...["SQL", "status", "verdict", "votes"].map((name) => make("th", { scope: "col" }, name)));
  return make("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Candidates" },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines)));
}

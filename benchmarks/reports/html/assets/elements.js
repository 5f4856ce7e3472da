"use strict";
// The item viewer. Data become text nodes only, never markup.

const PAGE = 50, COLUMNS = 40;
const VERDICTS = { right: "✓ right", wrong: "✗ wrong", masked: "○ masked" };
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/u;
const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 52rem)");

// ---- elements

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Returns the text with control characters and characters that cannot be shown replaced by their numbers.
function plain(text) {
  const whole = document.createDocumentFragment();
  for (let rest = String(text); rest; ) {
    const found = ODD.exec(rest);
    whole.append(found ? rest.slice(0, found.index) : rest);
    if (!found) break;
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    whole.append(make("span", { class: "odd", title: `the character U+${code}` }, `⟨${code}⟩`));
    rest = rest.slice(found.index + found[0].length);
  }
  return whole;
}

// ---- data

async function unpack(id) {
  const bytes = Uint8Array.from(atob(JSON.parse(byId(id).textContent)), (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const parts = new Map();
function details(place) {
  const part = Math.floor(place / data.part);
  if (!parts.has(part)) parts.set(part, unpack(`part-${part}`));
  return parts.get(part).then((found) => found[place % data.part]);
}

/** Neutralise text from agents, repositories and programs for the place where it is shown. */

/** Characters that reorder the text around them, and invisible ones. */
const HIDDEN = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;

const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** Return the text as one line, without control characters and hidden ones. */
export function plain(words: string): string {
  return words.replace(HIDDEN, "").replace(CONTROL, " ").replace(/\s+/g, " ").trim();
}

/** Return the text as one line, cut to `limit` characters. */
export function short(words: string, limit: number): string {
  const line = plain(words);
  const characters = Array.from(line);
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join("")}…`;
}

/** Return a text that a person decides on, as one line with nothing left out: line ends are marked, since a shell runs each
 * line, and hidden characters are made visible. */
export function exact(words: string): string {
  return words
    .replace(/\n/g, " ⏎ ")
    .replace(CONTROLS, picture)
    .replace(HIDDEN, (character) => `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`);
}

/** Return the text for a label of a quick pick or the status bar, where VS Code draws `$(name)` as an icon. */
export function label(words: string): string {
  return plain(words).replace(/\$\(/g, "\\$(");
}

/** Return the text for a notification, where VS Code turns `[text](target)` into a link, even to a command. */
export function message(words: string): string {
  return unlinked(plain(words));
}

/** Return a text for a notification as a single line, otherwise unchanged. */
export function unlinked(line: string): string {
  return line.replace(/\]\(/g, "] (");
}

/** Return a Markdown code block. Its fence is longer than any run of backticks in the text. */
export function fenced(text: string, language: string): string {
  const shown = text
    .replace(HIDDEN, "\ufffd")
    .replace(/\r\n?/g, "\n")
    .replace(/[\p{Cc}]/gu, (character) => (character === "\n" || character === "\t" ? character : picture(character)));
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${shown.replace(/\n$/, "")}\n${fence}`;
}

/** `1 run`, `2 runs`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return the visible symbol for a control character. */
function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) {
    return String.fromCharCode(0x2400 + code);
  }
  return code === 0x7f ? "\u2421" : "\ufffd";
}

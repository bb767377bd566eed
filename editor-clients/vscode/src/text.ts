/** Text that an agent, a repository or another program chose, made harmless for the place where it is shown. */

/** Characters that reorder what stands around them, or are not seen at all. */
const HIDDEN = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;

const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** One line in which nothing drives anything. */
export function plain(words: string): string {
  return words.replace(HIDDEN, "").replace(CONTROL, " ").replace(/\s+/g, " ").trim();
}

/** The same, cut to so many characters. */
export function short(words: string, most: number): string {
  const line = plain(words);
  const characters = Array.from(line);
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("")}…`;
}

/** What a person decides on, in one line with nothing left out: a line that ends stays one, since a shell runs what is
 * behind it, and what hides or reorders is there to be seen. */
export function exact(words: string): string {
  return words
    .replace(/\n/g, " ⏎ ")
    .replace(CONTROLS, picture)
    .replace(HIDDEN, (character) => `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`);
}

/** For a label in which VS Code draws `$(name)` as an icon: quick picks and the status bar. */
export function label(words: string): string {
  return plain(words).replace(/\$\(/g, "\\$(");
}

/** For a notification, in which VS Code makes a link, also to a command, of `[text](target)`. */
export function message(words: string): string {
  return unlinked(plain(words));
}

/** The same for what is in one line already. */
export function unlinked(line: string): string {
  return line.replace(/\]\(/g, "] (");
}

/** A Markdown block that shows what it holds and nothing else: its fence is longer than any run of backticks inside. */
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

function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) {
    return String.fromCharCode(0x2400 + code);
  }
  return code === 0x7f ? "\u2421" : "\ufffd";
}

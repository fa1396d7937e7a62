/**
 * Long content: its beginning, and all of it on request. What is not shown is not in the page. Content that is too long
 * for a person to read and for a browser to lay out with ease can be saved as a file.
 */
import { useMemo, useState } from "preact/hooks"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import { save } from "./save.js"
import { Shown } from "./Shown.js"

const wholeMost = 200_000

/** The first lines of a text, and how many more there are. */
const beginning = (text: string, lines: number): readonly [text: string, more: number] => {
  let at = -1
  for (let line = 0; line < lines; line++) {
    at = text.indexOf("\n", at + 1)
    if (at === -1) return text.length > 200 * lines ? [text.slice(0, 200 * lines), 1] : [text, 0]
  }
  return [text.slice(0, Math.min(at, 200 * lines)), text.slice(at + 1).split("\n").length]
}

export const Folded = ({
  lines = 12,
  text,
  label
}: {
  readonly text: string
  readonly lines?: number
  readonly label: string
}) => {
  const [isWhole, open] = useState(false)
  const plain = useMemo(() => Visible.withoutColours(text), [text])
  const [first, more] = useMemo(() => beginning(plain, lines), [plain, lines])
  return (
    <div class="folded">
      <pre class="output" tabIndex={0} role="group" aria-label={label}>
        <Shown text={isWhole ? plain.slice(0, wholeMost) : first} />
      </pre>
      {isWhole && plain.length > wholeMost ? (
        <p class="note">
          The first {Words.count(wholeMost)} of {Words.count(plain.length)} characters are shown.
          <button class="quiet" onClick={() => save(`${label}.txt`, "text/plain", text)}>
            Save all
          </button>
        </p>
      ) : null}
      {more > 0 ? (
        <button class="quiet" onClick={() => open(!isWhole)} aria-expanded={isWhole}>
          {isWhole ? "Show less" : more === 1 ? "Show all" : `Show ${more} more lines`}
        </button>
      ) : null}
    </div>
  )
}

/** What a call was asked to do: its command exactly, its change as a diff, its other fields. */
import { useMemo, useState } from "preact/hooks"
import * as CallInput from "../model/CallInput.js"
import * as LineDiff from "../model/LineDiff.js"
import { memo } from "./memo.js"
import { Shown } from "./Shown.js"

const names = { " ": "same", "+": "added", "-": "removed", "…": "left" } as const
/** Lines that are shown at first, and how many more each time: as many as a browser draws at once with ease. */
const mostAtFirst = 2000
const mostAtOnce = 20_000

/** The lines of a change, each with its sign. All can be shown. */
export const Diff = memo(({ after, before }: { readonly before: string | null; readonly after: string }) => {
  const [most, show] = useState(mostAtFirst)
  const lines = useMemo(() => LineDiff.of(before, after), [before, after])
  const more = Math.min(lines.length - most, mostAtOnce)
  return (
    <div class="folded">
      <pre class="diff" tabIndex={0} role="group" aria-label="change">
        {lines.slice(0, most).map(({ end, sign, text }) => (
          <span class={names[sign]}>
            <b>{sign}</b>
            <Shown text={text} />
            {end === null ? null : <mark class="hidden">{end}</mark>}
            {"\n"}
          </span>
        ))}
      </pre>
      {more > 0 ? (
        <button class="quiet" onClick={() => show(most + more)}>
          Show {more} more lines
        </button>
      ) : null}
    </div>
  )
})

export const Input = memo(({ input }: { readonly input: string }) => (
  <dl class="input">
    {CallInput.fields(input).map((field) =>
      field.kind === "diff" ? (
        <div class="wide">
          <dt>change</dt>
          <dd>
            <Diff before={field.before} after={field.after} />
          </dd>
        </div>
      ) : (
        <div class={field.kind === "code" ? "wide" : ""}>
          <dt>
            <Shown text={field.name} />
          </dt>
          <dd>
            {field.kind === "code" ? (
              <pre tabIndex={0} role="group" aria-label={field.name}>
                <Shown text={field.text} />
              </pre>
            ) : (
              <code>
                <Shown text={field.text} />
              </code>
            )}
          </dd>
        </div>
      )
    )}
  </dl>
))

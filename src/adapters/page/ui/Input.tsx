/** What a call was asked to do: its command exactly, its change as a diff, its other fields. */
import * as CallInput from "../model/CallInput.js"
import * as LineDiff from "../model/LineDiff.js"
import { memo } from "./memo.js"
import { Shown } from "./Shown.js"

const names = { " ": "same", "+": "added", "-": "removed", "…": "left" } as const
const most = 2000

/** The lines of a change, each with its sign. */
export const Diff = memo(({ after, before }: { readonly before: string | null; readonly after: string }) => {
  const lines = LineDiff.of(before, after)
  return (
    <pre class="diff" tabIndex={0} role="group" aria-label="change">
      {lines.slice(0, most).map(({ sign, text }) => (
        <span class={names[sign]}>
          <b>{sign}</b>
          <Shown text={text} />
          {"\n"}
        </span>
      ))}
      {lines.length > most ? `… ${lines.length - most} more lines` : null}
    </pre>
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

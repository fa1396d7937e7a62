/** Icons for states. Each has a shape of its own, so that nobody has to tell colours apart. */
import type { Badge } from "../state/OpenSession.js"
import type { State } from "../model/Strands.js"
import type { Activity } from "../model/Wire.js"

const shapes: Readonly<Record<State, string>> = {
  pending: "M8 3.5a4.5 4.5 0 1 0 .01 0",
  asked: "M5.6 6a2.4 2.4 0 1 1 3.6 2.1C8.3 8.6 8 9 8 10M8 12.4v.1",
  running: "M8 3a5 5 0 1 1-5 5",
  finished: "M3.5 8.5l3 3 6-7",
  failed: "M4 4l8 8M12 4l-8 8",
  interrupted: "M9 2.5L5 8.5h5L7 13.5",
  denied: "M8 3a5 5 0 1 0 .01 0M4.5 11.5l7-7",
  "not-started": "M4 8h8"
}

/** The state of a call. */
export const Mark = ({ state }: { readonly state: State }) => (
  <svg class={`mark ${state}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
    <path d={shapes[state]} />
  </svg>
)

const ofActivity: Readonly<Record<Activity, string>> = {
  idle: "M5 8h6",
  queued: "M8 3.5a4.5 4.5 0 1 0 .01 0M8 5.5V8l1.7 1",
  running: shapes.running,
  asks: shapes.asked,
  crashed: shapes.interrupted
}

/** The activity of a session. */
export const ActivityMark = ({ activity }: { readonly activity: Activity }) => (
  <svg class={`mark of-${activity}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
    <path d={ofActivity[activity]} />
  </svg>
)

const words: Readonly<Record<Badge, readonly [word: string, why: string]>> = {
  connecting: ["loading", "The session is being loaded"],
  live: ["live", "Up to date with the server"],
  reconnecting: ["reconnecting", "The connection was cut. It comes back by itself, and nothing is missed"],
  gap: ["gap", "Some events are no longer stored, so the session is being loaded again"],
  ended: ["ended", "The session is gone"]
}

/** How the page relates to the server. */
export const BadgeMark = ({ badge }: { readonly badge: Badge }) => {
  const [word, why] = words[badge]
  return (
    <span class={`badge is-${badge}`} role="status" title={why}>
      <i aria-hidden="true" />
      {word}
    </span>
  )
}

/** The reference for drafts: the text that running steps have written so far. */
import { Either, Option } from "effect"
import type { Lease } from "../../../domain/Lease.js"
import type { Draft } from "../../../domain/Live.js"
import { held, putSession, type State, type Transition } from "./State.js"

export const saveDrafts = (
  state: State,
  drafts: ReadonlyArray<{ readonly lease: Lease; readonly draft: Draft }>
): Transition<void> =>
  Either.right([
    undefined,
    drafts.reduce(
      (state, { draft, lease }) =>
        Either.match(held(state, lease), {
          onLeft: () => state,
          onRight: ({ kept }) =>
            draft.seq <= kept.session.head ? state : putSession(state, { ...kept, draft: Option.some(draft) })
        }),
      state
    )
  ])

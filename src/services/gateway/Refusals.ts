/** What the Gateway refuses of an input that no Schema can check. */
import * as Inquiry from "../../domain/Inquiry.js"
import type { Question, Verdict } from "../../domain/Permission.js"
import { InvalidInput } from "../../domain/SkeinError.js"

const refused = (field: string, limit: string, actual: string) => new InvalidInput({ field, limit, actual })

/** What answers a question. */
interface Given {
  readonly verdict: Verdict
  readonly values: Inquiry.Values | undefined
  readonly isDismissed: boolean
}

const ofInquiry = (inquiry: Inquiry.Inquiry, { values = {}, verdict }: Given): InvalidInput | null => {
  if (verdict !== "allow-once") return refused("verdict", "allow-once or deny, where something is asked", verdict)
  const flaw = Inquiry.valuesFlaw(inquiry, values)
  return flaw === null ? null : new InvalidInput(flaw)
}

/** Returns null when a question can be answered in this way, or already has its answer, which then counts. */
export const ofAnswer = ({ answer, display: { always, inquiry } }: Question, given: Given): InvalidInput | null => {
  if (answer !== null) return null
  if (given.isDismissed && given.verdict !== "deny")
    return refused("verdict", "deny for a question that is dismissed", given.verdict)
  if (inquiry !== undefined && given.verdict !== "deny") return ofInquiry(inquiry, given)
  if (given.values !== undefined)
    return refused("values", "a question with an `inquiry`, and allow-once", "another kind of question")
  return given.verdict !== "allow-always" || always !== undefined
    ? null
    : refused("verdict", "a question with `always` for allow-always", "none")
}

export const noParent = new InvalidInput({ field: "parent", limit: "an existing session", actual: "none" })

export const emptyMessage = new InvalidInput({ field: "text", limit: "some text or a file", actual: "neither" })

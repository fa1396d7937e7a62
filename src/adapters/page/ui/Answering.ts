/**
 * The state of an answer on a question's card: sent, or why it failed. Somebody else may have been first. While an
 * answer is on its way, the card takes no other; its buttons stay enabled, because a disabled button loses the focus.
 */
import { useState } from "preact/hooks"
import * as Api from "../net/Api.js"
import { wordsOf } from "./Failure.js"

export const useAnswer = () => {
  const [isSent, sent] = useState(false)
  const [failed, fail] = useState<string | null>(null)
  const answer = (said: () => Promise<void>): void => {
    if (isSent) return
    sent(true)
    said().catch((error: unknown) => {
      sent(false)
      if (error instanceof Api.Failed && error.tag === "QuestionAnswered")
        fail("Somebody else has already answered this")
      else fail(wordsOf(error, "The answer could not be sent"))
    })
  }
  return { answer, failed, isSent }
}

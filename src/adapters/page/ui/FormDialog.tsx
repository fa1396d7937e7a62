/** A dialog for an action: when the action fails, it stays open and says why. */
import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
import { Dialog } from "./Dialog.js"
import { Failure, wordsOf } from "./Failure.js"

export const FormDialog = ({
  children,
  close,
  does,
  isDangerous = false,
  label,
  leave = "Cancel",
  title
}: {
  readonly title: string
  /** The text of the button that acts, and of the one that leaves everything as it is. */
  readonly label: string
  readonly leave?: string
  readonly isDangerous?: boolean
  readonly does: () => Promise<unknown>
  readonly close: () => void
  readonly children: ComponentChildren
}) => {
  const [failed, fail] = useState<string | null>(null)
  const [isAsked, ask] = useState(false)
  const submit = () => {
    if (isAsked) return
    ask(true)
    does().then(close, (error: unknown) => {
      ask(false)
      fail(wordsOf(error))
    })
  }
  return (
    <Dialog title={title} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        {children}
        <Failure text={failed} />
        <p class="buttons">
          <button type="button" onClick={close}>
            {leave}
          </button>
          <button class={isDangerous ? "danger" : "primary"}>{label}</button>
        </p>
      </form>
    </Dialog>
  )
}

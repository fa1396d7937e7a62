/**
 * A dialog for an action: when the action fails, it stays open and says why. An action that succeeds after the person
 * left the dialog leads nowhere and closes nothing: they may be elsewhere by then.
 */
import type { ComponentChildren } from "preact"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
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
  /** The page's hash that success leads to; none leaves the person where they are. */
  readonly does: () => Promise<string | undefined>
  readonly close: () => void
  readonly children: ComponentChildren
}) => {
  const [failed, fail] = useState<string | null>(null)
  const [isAsked, ask] = useState(false)
  const isLeft = useRef(false)
  useLayoutEffect(() => () => void (isLeft.current = true), [])
  const submit = () => {
    if (isAsked) return
    ask(true)
    does().then(
      (hash) => {
        if (isLeft.current) return
        if (hash !== undefined) location.hash = hash
        close()
      },
      (error: unknown) => {
        ask(false)
        fail(wordsOf(error))
      }
    )
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

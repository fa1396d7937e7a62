/** The browser's own dialog: it keeps the focus, and Escape closes it. The focus returns to where it was. */
import type { ComponentChildren } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"

export const Dialog = ({
  children,
  close,
  title
}: {
  readonly title: string
  readonly close: () => void
  readonly children: ComponentChildren
}) => {
  const element = useRef<HTMLDialogElement>(null)
  // A passive effect is undone after the paint: until then, what a person types would go nowhere.
  useLayoutEffect(() => {
    const [dialog, before] = [element.current, document.activeElement]
    dialog?.showModal()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    // The browser tells of the end later, when another dialog may be open, and the element's listeners outlive it.
    <dialog ref={element} onCancel={close} onClose={() => element.current && close()} aria-label={title}>
      <h2>{title}</h2>
      {children}
    </dialog>
  )
}

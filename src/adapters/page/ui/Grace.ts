/**
 * A click is meant for what was under the pointer before it. A button that has just come, or has moved, takes none: all
 * buttons of its box rest until nothing among them has moved for as long as a double-click takes. A key that is held
 * down presses once.
 *
 * Not guarded: buttons that a person scrolls to.
 */
import type { RefObject } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"

/** Two clicks within this time are a double-click to most systems. */
const graceMillis = 500

const placeOf = (button: Element): string => {
  const { left, top } = button.getBoundingClientRect()
  return `${left} ${top}`
}

const guard = (box: HTMLElement): (() => void) => {
  let places = new Map<Element, string>()
  let timer = 0
  const note = (): boolean => {
    const before = places
    places = new Map([...box.querySelectorAll("button")].map((button) => [button, placeOf(button)]))
    return [...places].some(([button, place]) => before.get(button) !== place)
  }
  const look = () => {
    if (!note()) return
    window.clearTimeout(timer)
    for (const button of places.keys()) button.setAttribute("aria-disabled", "true")
    timer = window.setTimeout(() => {
      timer = 0
      for (const button of places.keys()) button.removeAttribute("aria-disabled")
    }, graceMillis)
  }
  const clicked = (event: MouseEvent) => {
    if (timer === 0 || !(event.target instanceof Element) || event.target.closest("button") === null) return
    event.preventDefault()
    event.stopPropagation()
  }
  const pressed = (event: KeyboardEvent) => {
    if (event.repeat && event.key === "Enter") event.preventDefault()
  }
  const mutations = new MutationObserver(look)
  mutations.observe(box, { childList: true, subtree: true })
  // What is above and below a box moves it only when its parent or what follows it changes its size.
  const sizes = new ResizeObserver(look)
  for (const element of [box, box.parentElement, box.nextElementSibling]) {
    if (element !== null) sizes.observe(element)
  }
  box.addEventListener("scroll", note)
  box.addEventListener("click", clicked, true)
  box.addEventListener("keydown", pressed, true)
  look()
  return () => {
    window.clearTimeout(timer)
    mutations.disconnect()
    sizes.disconnect()
    box.removeEventListener("scroll", note)
    box.removeEventListener("click", clicked, true)
    box.removeEventListener("keydown", pressed, true)
  }
}

/** Guards the buttons of a box for as long as it is in the page. */
export const useGrace = <E extends HTMLElement>(): RefObject<E | null> => {
  const box = useRef<E>(null)
  useLayoutEffect(() => (box.current === null ? undefined : guard(box.current)), [])
  return box
}

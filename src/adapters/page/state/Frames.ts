/**
 * Work that is done once per frame, however often it is asked for; a few times a second in pages that are not drawn.
 */
export const once = (work: () => void): (() => void) => {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    let timer = 0
    const go = () => {
      window.clearTimeout(timer)
      if (!isAsked) return
      isAsked = false
      work()
    }
    timer = window.setTimeout(go, 200)
    window.requestAnimationFrame(go)
  }
}

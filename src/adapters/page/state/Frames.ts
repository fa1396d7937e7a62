/** Work that is done once a frame, however often it is asked for; in pages that are not drawn, a few times a second. */
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

/**
 * Runs the tests as vitest does, and gives the event loop a turn before each. Vitest's workers report to the main
 * process and fail, with all remaining files, when a report is not answered within a minute; but they check timers
 * before they read answers. Workers whose tests never wait would not read any answers, and on a machine that stands
 * still for a minute no worker would.
 *
 * So each test begins with a turn of the event loop, and a report that is not answered in time counts as delivered: the
 * channel loses nothing while both processes live.
 */
import { setImmediate } from "node:timers/promises"
import type { RunnerTask, RunnerTaskEventPack, RunnerTaskResultPack } from "vitest"
import { VitestTestRunner } from "vitest/runners"

type Report = (packs: Array<RunnerTaskResultPack>, events: Array<RunnerTaskEventPack>) => Promise<void>

const isLate = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.includes('Timeout calling "onTaskUpdate"')

const patient =
  (report: Report): Report =>
  async (packs, events) => {
    try {
      await report(packs, events)
    } catch (thrown) {
      if (!isLate(thrown)) throw thrown
    }
  }

export default class Runner extends VitestTestRunner {
  #report: Report | undefined

  get onTaskUpdate(): Report | undefined {
    return this.#report
  }

  /** Vitest sets the function that sends reports. */
  set onTaskUpdate(report: Report | undefined) {
    this.#report = report && patient(report)
  }

  override async onBeforeRunTask(test: RunnerTask): Promise<void> {
    await setImmediate()
    await super.onBeforeRunTask(test)
  }
}

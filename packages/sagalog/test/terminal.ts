/** A terminal that keeps what was written, and the whole command line run on it. */
import type { Clock, Disk } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { dlqCommands } from '../src/cli/dlq.js'
import { groupCommands } from '../src/cli/group.js'
import { logCommands } from '../src/cli/log.js'
import { messageCommands } from '../src/cli/message.js'
import { projectionCommands } from '../src/cli/projection.js'
import { type CommandGroup, runProgram } from '../src/cli/program.js'
import { startCommands } from '../src/cli/start.js'
import { streamCommands } from '../src/cli/stream.js'
import { topicCommands } from '../src/cli/topic.js'
import { retentionCommands } from '../src/cli/retention.js'
import { txCommands } from '../src/cli/tx.js'

export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Given {
  readonly disk?: Disk
  readonly clock?: Clock
  /** The reader goes away once it has so many lines. */
  readonly linesWanted?: number
}

export async function sagalog(args: readonly string[], given: Given = {}): Promise<Ended> {
  const operating = [
    topicCommands,
    groupCommands,
    messageCommands,
    dlqCommands,
    txCommands,
    retentionCommands,
  ]
  const data = [logCommands, streamCommands, projectionCommands]
  return sagalogWith([startCommands, ...operating, ...data], args, given)
}

/** With these groups of commands only. */
export async function sagalogWith(
  groups: readonly CommandGroup[],
  args: readonly string[],
  given: Given = {},
): Promise<Ended> {
  const { disk = nodeDisk(), clock = nodeClock(), linesWanted = Infinity } = given
  let [out, err] = ['', '']
  const terminal = {
    print: (text: string) => {
      const isGone = out.split('\n').length > linesWanted
      if (!isGone) out += text
      return Promise.resolve(!isGone)
    },
    tell: (line: string) => void (err += `${line}\n`),
    progress: undefined,
    columns: undefined,
  }
  const code = await runProgram(args, groups, { terminal, disk, clock }, '1.2.3')
  return { code, out, err }
}

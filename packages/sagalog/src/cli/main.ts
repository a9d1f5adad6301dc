/** The program `sagalog`: the command groups, this machine, and the exit code. */
import { createRequire } from 'node:module'
import { nodeClock } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { dlqCommands } from './dlq.js'
import { groupCommands } from './group.js'
import { logCommands } from './log.js'
import { messageCommands } from './message.js'
import { projectionCommands } from './projection.js'
import { type CommandGroup, runProgram } from './program.js'
import { sagaCommands } from './saga.js'
import { startCommands } from './start.js'
import { streamCommands } from './stream.js'
import { nodeTerminal } from './terminal-node.js'
import { topicCommands } from './topic.js'
import { txCommands } from './tx.js'

/** In the order of the help. */
const groups: readonly CommandGroup[] = [
  startCommands,
  topicCommands,
  groupCommands,
  messageCommands,
  dlqCommands,
  txCommands,
  logCommands,
  streamCommands,
  projectionCommands,
  sagaCommands,
]

const manifest = createRequire(import.meta.url)('../../package.json') as { version: string }
const terminal = nodeTerminal()
const ports = { terminal, disk: nodeDisk(), clock: nodeClock() }
// Set and not called: what was printed last still has to leave.
process.exitCode = await runProgram(process.argv.slice(2), groups, ports, manifest.version)

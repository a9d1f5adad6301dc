/** The program `sagalog`: the command groups, this machine, and the exit code. */
import { createRequire } from 'node:module'
import { nodeClock } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { type CommandGroup, runProgram } from './program.js'
import { nodeTerminal } from './terminal-node.js'

/** In the order of the help. Only what was asked for is loaded: a server needs no sagas. */
const groups: ReadonlyMap<string, () => Promise<CommandGroup>> = new Map([
  ['start', async () => (await import('./start.js')).startCommands],
  ['topic', async () => (await import('./topic.js')).topicCommands],
  ['group', async () => (await import('./group.js')).groupCommands],
  ['message', async () => (await import('./message.js')).messageCommands],
  ['dlq', async () => (await import('./dlq.js')).dlqCommands],
  ['tx', async () => (await import('./tx.js')).txCommands],
  ['retention', async () => (await import('./retention.js')).retentionCommands],
  ['log', async () => (await import('./log.js')).logCommands],
  ['stream', async () => (await import('./stream.js')).streamCommands],
  ['projection', async () => (await import('./projection.js')).projectionCommands],
  ['saga', async () => (await import('./saga.js')).sagaCommands],
])

/** The group that the first word names; all of them when it names none, for the help. */
async function groupsFor([word = '']: readonly string[]): Promise<readonly CommandGroup[]> {
  const named = groups.get(word)
  if (named !== undefined) return [await named()]
  const all: CommandGroup[] = []
  for (const load of groups.values()) all.push(await load())
  return all
}

const manifest = createRequire(import.meta.url)('../../package.json') as { version: string }
const terminal = nodeTerminal()
const ports = { terminal, disk: nodeDisk(), clock: nodeClock() }
// Set and not called: what was printed last still has to leave.
const args = process.argv.slice(2)
process.exitCode = await runProgram(args, await groupsFor(args), ports, manifest.version)

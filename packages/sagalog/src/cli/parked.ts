/** `sagalog group parked`, `release` and `discard`: the keys of a group that wait for a person. */
import type { ParkedKey, ParkedKeyName } from '@sagalog/client'
import { parkedKeysOf } from '@sagalog/client'
import type { Command } from 'commander'
import { escaped } from './body-text.js'
import { messageJson } from './message-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withConnection } from './operated.js'
import { type CommandContext, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

interface KeyFlags extends Operated {
  readonly topic: string
  readonly queue: number
  readonly key: string
}

const COLUMNS: readonly Column[] = [
  { title: 'topic' },
  { title: 'queue', align: 'right' },
  { title: 'key' },
  { title: 'state' },
  { title: 'messages', align: 'right' },
  { title: 'attempts', align: 'right' },
  { title: 'since' },
  { title: 'reason' },
]
const REASON_CHARS = 80

function rowOf(parked: ParkedKey): readonly string[] {
  const reason = escaped(parked.reason)
  return [
    escaped(parked.topic),
    String(parked.queueId),
    escaped(parked.key),
    parked.state,
    String(parked.messages),
    String(parked.attempts),
    timeText(parked.parkedAtMs),
    reason.length > REASON_CHARS ? `${reason.slice(0, REASON_CHARS)}…` : reason,
  ]
}

async function list(context: CommandContext, group: string, flags: Operated): Promise<ExitCode> {
  const { terminal } = context
  const keys = await withConnection(context, flags, (connection) =>
    parkedKeysOf(connection, group).list(),
  )
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(keys, undefined, 2)}\n`)
    return EXIT.fine
  }
  await terminal.print(tableText(COLUMNS, keys.map(rowOf)))
  await terminal.print(`${plural(keys.length, 'parked key')}\n`)
  return EXIT.fine
}

const nameOf = ({ key, queue, topic }: KeyFlags): ParkedKeyName => ({ topic, queueId: queue, key })

const wordsOf = ({ key, queue, topic }: KeyFlags): string =>
  `key ${escaped(key)} of ${escaped(topic)}/${queue}`

async function show(
  context: CommandContext,
  group: string,
  flags: KeyFlags & { readonly limit: number },
): Promise<ExitCode> {
  const { terminal } = context
  const messages = await withConnection(context, flags, (connection) =>
    parkedKeysOf(connection, group).messages(nameOf(flags), flags.limit),
  )
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(messages.map(messageJson), undefined, 2)}\n`)
    return EXIT.fine
  }
  for (const { id, offset, storedAtMs } of messages)
    await terminal.print(
      `${flags.topic}/${flags.queue}@${offset} ${escaped(id)} ${timeText(storedAtMs)}\n`,
    )
  await terminal.print(`${plural(messages.length, 'message')} of ${wordsOf(flags)}\n`)
  return EXIT.fine
}

/** Says so when the key does not wait. */
async function answer(
  { terminal }: CommandContext,
  flags: KeyFlags,
  { isDone, result, text }: { isDone: boolean; result: object; text: string },
): Promise<ExitCode> {
  if (!isDone) {
    terminal.tell(`sagalog: ${wordsOf(flags)} is not parked`)
    terminal.tell('It was released or discarded, or never was: see sagalog group parked.')
    return EXIT.failed
  }
  await terminal.print(flags.json === true ? `${JSON.stringify(result)}\n` : `${text}\n`)
  return EXIT.fine
}

async function release(
  context: CommandContext,
  group: string,
  flags: KeyFlags & { readonly skipFirst?: true },
): Promise<ExitCode> {
  const skipFirst = flags.skipFirst === true
  const isReleased = await withConnection(context, flags, (connection) =>
    parkedKeysOf(connection, group).release(nameOf(flags), { skipFirst }),
  )
  const text = `released ${wordsOf(flags)}: its messages come in order, before later ones`
  const result = { ...nameOf(flags), released: true, skippedFirst: skipFirst }
  return answer(context, flags, { isDone: isReleased, result, text })
}

async function discard(context: CommandContext, group: string, flags: KeyFlags): Promise<ExitCode> {
  const discarded = await withConnection(context, flags, (connection) =>
    parkedKeysOf(connection, group).discard(nameOf(flags)),
  )
  const text = `discarded ${plural(discarded, 'message')} of ${wordsOf(flags)}`
  const result = { ...nameOf(flags), discarded }
  return answer(context, flags, { isDone: discarded > 0, result, text })
}

const ofKey = (command: Command): Command =>
  operated(withJson(command))
    .argument('<group>', 'the name of the group')
    .requiredOption('--topic <topic>', 'the name of the topic')
    .requiredOption('--queue <n>', 'the queue of the key', wholeNumber(0, 1_023))
    .requiredOption('--key <key>', 'the sharding key')

/** Adds them to `sagalog group`. */
export function parkedCommands(group: Command, context: CommandContext): void {
  operated(withJson(group.command('parked'), 'print an array of keys as JSON'))
    .description('list the sharding keys that wait for a person, and why')
    .argument('<group>', 'the name of the group')
    .action(context.act((name, flags) => list(context, name, flags)))

  ofKey(group.command('parked-messages'))
    .description('list what is set aside of a parked key, in order')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 100_000), 100)
    .action(context.act((name, flags) => show(context, name, flags)))

  ofKey(group.command('release'))
    .description('let a parked key go on: its messages come in order, before later ones')
    .option('--skip-first', 'drop the message that failed, and begin with the next')
    .action(context.act((name, flags) => release(context, name, flags)))

  ofKey(group.command('discard'))
    .description('drop all that is set aside of a parked key, which goes on then')
    .action(context.act((name, flags) => discard(context, name, flags)))
}

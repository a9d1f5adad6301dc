/** `sagalog message`: one message, wherever an operator knows it from. */
import type { MessagePlace } from '@sagalog/client'
import { escaped } from './body-text.js'
import { messageJson, messageText } from './message-text.js'
import { wholeNumber } from './numbers.js'
import { operated, type Operated, withAdmin } from './operated.js'
import { type CommandContext, type CommandGroup, EXIT, type ExitCode, withJson } from './program.js'
import { type Column, tableText } from './table.js'
import { timeText } from './time-text.js'
import { plural } from './words.js'

interface ShowFlags extends Operated {
  readonly topic?: string
  readonly queue?: number
  readonly offset?: number
  readonly position?: number
  readonly bytes: number
}

interface TimerFlags extends Operated {
  readonly topic?: string
  readonly limit: number
}

const TIMER_COLUMNS: readonly Column[] = [
  { title: 'due' },
  { title: 'topic' },
  { title: 'name' },
  { title: 'position', align: 'right' },
]

async function timers(context: CommandContext, flags: TimerFlags): Promise<ExitCode> {
  const { limit, topic } = flags
  // One more than is shown tells whether there are more.
  const asked = { max: limit + 1, ...(topic === undefined ? {} : { topic }) }
  const found = await withAdmin(context, flags, (admin) => admin.timers(asked))
  const shown = found.slice(0, limit)
  const { terminal } = context
  if (flags.json === true) {
    await terminal.print(`${JSON.stringify(shown, undefined, 2)}\n`)
    return EXIT.fine
  }
  const rows = shown.map(({ dueAtMs, name = '', position, topic: to }) => [
    timeText(dueAtMs),
    escaped(to),
    escaped(name),
    String(position),
  ])
  await terminal.print(tableText(TIMER_COLUMNS, rows))
  const more = found.length > limit ? ', and more behind them: --limit' : ''
  await terminal.print(`${plural(shown.length, 'message')}${more}\n`)
  return EXIT.fine
}

/** Undefined when the arguments name no message, or more than one. */
function placeOf(
  id: string | undefined,
  { offset, position, queue, topic }: ShowFlags,
): MessagePlace | undefined {
  const isInQueue = queue !== undefined || offset !== undefined
  if (id !== undefined)
    return isInQueue || position !== undefined
      ? undefined
      : { id, ...(topic === undefined ? {} : { topic }) }
  if (position !== undefined) return isInQueue || topic !== undefined ? undefined : { position }
  if (topic === undefined || queue === undefined || offset === undefined) return undefined
  return { topic, queueId: queue, offset }
}

async function show(
  context: CommandContext,
  id: string | undefined,
  flags: ShowFlags,
): Promise<ExitCode> {
  const { terminal } = context
  const place = placeOf(id, flags)
  if (place === undefined) {
    terminal.tell('sagalog: which message? By its id, its place in a queue, or its position')
    terminal.tell(
      'usage: sagalog message show <id> [--topic <topic>], or with --topic, --queue and --offset, ' +
        'or with --position',
    )
    return EXIT.misused
  }
  const message = await withAdmin(context, flags, (admin) => admin.message(place))
  if (message !== undefined) {
    const isJson = flags.json === true
    const text = isJson ? undefined : messageText(message, flags.bytes)
    await terminal.print(text ?? `${JSON.stringify(messageJson(message), undefined, 2)}\n`)
    return EXIT.fine
  }
  terminal.tell('sagalog: no message is there')
  terminal.tell(
    id !== undefined && flags.topic === undefined
      ? 'An id that a producer gave is found in its topic only: add --topic.'
      : 'What waits for its time or its decision is in no queue yet: see sagalog message timers, tx ls.',
  )
  return EXIT.failed
}

export const messageCommands: CommandGroup = (program, context) => {
  const message = program.command('message').description('show one message, or those that wait')

  operated(withJson(message.command('show')))
    .description('show a message with its properties and its body')
    .argument('[id]', 'either id that a send reported; that of its producer needs --topic')
    .option('--topic <topic>', 'the topic that it is in')
    .option('--queue <n>', 'its queue', wholeNumber(0, 1_023))
    .option('--offset <n>', 'its offset in that queue', wholeNumber(0))
    .option('--position <n>', 'where it stands in the log', wholeNumber(0))
    .option('--bytes <n>', 'show so many bytes of the body', wholeNumber(0), 4_096)
    .action(context.act((id, flags) => show(context, id, flags)))

  operated(withJson(message.command('timers'), 'print an array of timers as JSON'))
    .description('list the messages that wait for their time, the next first')
    .option('--topic <topic>', 'only those that go there')
    .option('--limit <n>', 'so many at most', wholeNumber(1, 1_000_000), 100)
    .action(context.act((flags) => timers(context, flags)))
}

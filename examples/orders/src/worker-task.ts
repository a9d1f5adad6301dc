/** What the parent tells the worker process, and the lines that the worker prints. */
import * as t from 'io-ts'

export const WorkerTask = t.type({
  directory: t.string,
  filePath: t.string,
  orders: t.number,
  durability: t.union([t.literal('sync'), t.literal('os')]),
  /** The file of the lines that earlier lives of the worker printed. */
  printedPath: t.string,
  /** From this progress on, the next half is held before its book entry. */
  holdFrom: t.union([t.number, t.undefined]),
})
export type WorkerTask = t.TypeOf<typeof WorkerTask>

/** A line of the worker as the parent understands it. */
export type WorkerLine =
  | { readonly kind: 'placed' | 'ended'; readonly order: number; readonly text: string }
  | { readonly kind: 'holding'; readonly order: number }
  | { readonly kind: 'work'; readonly json: string }
  | { readonly kind: 'other'; readonly text: string }

/** `placed n`, `ended n OUTCOME`, `holding n` or `work {...}`. */
export function readLine(text: string): WorkerLine {
  const match = /^(placed|ended|holding) (\d+)(?: \S+)?$/.exec(text)
  const order = Number(match?.[2])
  if (match?.[1] === 'holding') return { kind: 'holding', order }
  if (match?.[1] === 'placed' || match?.[1] === 'ended') return { kind: match[1], order, text }
  if (text.startsWith('work ')) return { kind: 'work', json: text.slice('work '.length) }
  return { kind: 'other', text }
}

/** The orders that lines of the worker name as placed and as ended. */
export function ordersIn(lines: readonly string[]): {
  readonly placed: Set<number>
  readonly ended: Set<number>
} {
  const [placed, ended] = [new Set<number>(), new Set<number>()]
  for (const text of lines) {
    const line = readLine(text)
    if (line.kind === 'placed') placed.add(line.order)
    if (line.kind === 'ended') ended.add(line.order)
  }
  return { placed, ended }
}

/** The orders whose end stands in lines of the worker. */
export const endedIn = (lines: readonly string[]): Set<number> => ordersIn(lines).ended

/** Cuts whole lines off a stream of text; what is left at the end was never finished. */
export function lineCutter(receive: (line: string) => void): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) receive(line)
  }
}

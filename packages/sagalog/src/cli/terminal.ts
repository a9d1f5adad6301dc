/** Where a command's words go: results to the output, everything else to the error stream. */

export interface Terminal {
  /**
   * Writes to the output. Resolves once it takes more: true, or false when its reader is gone
   * (`sagalog log dump DIR | head`), and then there is no use in going on.
   */
  print(text: string): Promise<boolean>
  /** Writes a line for people to the error stream; lost when nobody reads it. */
  tell(line: string): void
  /** The stream to draw progress on, when a person sits before it. */
  readonly progress: NodeJS.WriteStream | undefined
  /** Columns of the output, or undefined when it is no terminal. */
  readonly columns: number | undefined
}

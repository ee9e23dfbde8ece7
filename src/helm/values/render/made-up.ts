/** Stands in a value that a chart demands and nobody gave. */
export const MADE_UP = 'xmadeupx'

/** Holds something that no user, chart or author wrote. */
export const isMadeUp = (text: string): boolean => text.includes(MADE_UP)

/**
 * Recorded memory traces of real programs: reading, writing, converting, recording.
 *
 * <p>A trace has one of two forms ({@link org.penumbra.experiments.trace.TraceFormat}). The one is Penumbra's own, binary. The other is
 * the text that Valgrind's tool <em>lackey</em> prints under {@code --trace-mem=yes}, one access a line, as
 * plain text or compressed with gzip, xz or zstd:
 *
 * <pre>
 * I  04001000,3      instruction fetch: address (hexadecimal), size in bytes (decimal)
 *  L 1ffeffe7e,8     load
 *  S 1ffeffe80,8     store
 *  M 0421e040,4      modify: a load and a store of the same place by one instruction
 * </pre>
 *
 * Between the records there may be empty lines, comments ({@code #} in the first column) and Valgrind's own lines
 * ({@code ==PID==}, {@code --PID--}, {@code **PID**}, {@code vex}); nothing else. All addresses are user addresses of the
 * lower half, below 2<sup>47</sup>. The format names no thread: Valgrind runs one thread at a time, and their accesses
 * follow one another in the order in which they were executed.
 *
 * <p>{@link org.penumbra.experiments.trace.TraceReader} reads, and holds one buffer however long the trace is. {@link
 * org.penumbra.experiments.trace.TraceWriter} writes. {@link org.penumbra.experiments.trace.LackeyRecorder} runs a program
 * under Valgrind and writes what it does. {@link org.penumbra.experiments.trace.TraceSummary} counts.
 *
 * <p>No class here is safe for use by several threads at once, unless it says so; each may be handed from one thread to
 * another. Nothing here keeps a thread after its method has returned.
 */
package org.penumbra.experiments.trace;

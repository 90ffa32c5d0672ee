package org.penumbra.experiments.trace;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Parses lackey's lines straight out of a byte buffer.
 *
 * <p>The loop in {@link #records} knows records only. Every line that begins below {@link #complete} has its line feed in
 * the buffer, but for the last line of the text, behind which a zero byte stands, and neither is part of a record. So the
 * loop tests no bounds; whatever does not look like a good record goes to {@link #other}.
 */
final class LackeyReader extends SourceReader {

    /** The longest line that can be a record, in bytes; only comments and Valgrind's own lines may be longer. */
    static final int MAX_LINE = 4096;

    private static final int BUFFER = 256 * 1024;
    /** Comments at the head that are kept, in lines. */
    private static final int MOST_COMMENTS = 100;
    /** The first three bytes of a record of each kind. */
    private static final int FETCH_MARK = 'I' << 16 | ' ' << 8 | ' ';
    private static final int LOAD_MARK = ' ' << 16 | 'L' << 8 | ' ';
    private static final int STORE_MARK = ' ' << 16 | 'S' << 8 | ' ';
    private static final int MODIFY_MARK = ' ' << 16 | 'M' << 8 | ' ';
    private static final byte[] HEX = new byte[256];

    static {
        Arrays.fill(HEX, (byte) -1);
        for (int i = 0; i < 16; i++) {
            HEX[Character.forDigit(i, 16)] = (byte) i;
            HEX[Character.toUpperCase(Character.forDigit(i, 16))] = (byte) i;
        }
    }

    private final boolean live;
    /** With room for the zero byte, and for looking a few bytes past it. */
    private final byte[] buffer = new byte[BUFFER + 32];
    private int position;
    private int complete;
    private int limit;
    /** A comment longer than the buffer is being stepped over. */
    private boolean skipping;
    /** No byte will come after {@link #limit}. */
    private boolean ended;
    /** What the source threw; it is reported when the lines before it have been read. */
    private IOException sourceFailure;
    private final List<String> comments = new ArrayList<>();
    private long line;
    private long records;

    /**
     * @param live whether the text is a recording in progress: a batch is given out when nothing more has come so far, even
     *        if it is not full; there may be no record at all; and a last line without an end is dropped, because the
     *        program that wrote it was killed
     */
    LackeyReader(TraceSource source, boolean live) {
        super(source);
        this.live = live;
    }

    @Override
    void fill(TraceBatch batch) throws IOException {
        while (batch.count < batch.capacity()) {
            if (position < complete) {
                records(batch);
                if (position < complete && batch.count < batch.capacity()) {
                    other();
                }
            } else if (live && batch.count > 0) {
                // Waiting for more could take for ever, and what came may be all that is wanted.
                break;
            } else if (!ended) {
                more();
            } else {
                end();
                break;
            }
        }
    }

    /** Takes records until the batch is full, no complete line is left, or the next line is no good record. */
    private void records(TraceBatch batch) {
        byte[] b = buffer;
        byte[] kinds = batch.kind;
        long[] addresses = batch.address;
        int[] sizes = batch.size;
        int first = batch.count;
        int n = first;
        int p = position;
        while (n < kinds.length && p < complete) {
            byte kind;
            int mark = b[p] << 16 | b[p + 1] << 8 | b[p + 2];
            if (mark == FETCH_MARK) {
                kind = TraceBatch.FETCH;
            } else if (mark == LOAD_MARK) {
                kind = TraceBatch.LOAD;
            } else if (mark == STORE_MARK) {
                kind = TraceBatch.STORE;
            } else if (mark == MODIFY_MARK) {
                kind = TraceBatch.MODIFY;
            } else {
                break;
            }
            int q = p + 3;
            long address = 0;
            int digit;
            while ((digit = HEX[b[q] & 0xff]) >= 0) {
                address = address << 4 | digit;
                q++;
            }
            int digits = q - p - 3;
            if (digits < 1 || digits > 16 || b[q] != ',') {
                break;
            }
            int comma = q++;
            int size = 0;
            while ((digit = b[q] - '0') >= 0 && digit <= 9 && q - comma <= 4) {
                size = size * 10 + digit;
                q++;
            }
            boolean good = b[q] == '\n' && size >= 1 && size <= TraceBatch.MAX_SIZE
                    && (address | address + size - 1) >>> 47 == 0;
            if (!good) {
                break;
            }
            kinds[n] = kind;
            addresses[n] = address;
            sizes[n] = size;
            n++;
            p = q + 1;
        }
        position = p;
        batch.count = n;
        line += n - first;
        records += n - first;
    }

    /** Steps over a line that is no record and may stand in a trace; refuses any other. */
    private void other() throws IOException {
        int end = position;
        while (end < limit && buffer[end] != '\n') {
            end++;
        }
        boolean unfinished = end == limit;
        if (unfinished && (live || sourceFailure != null)) {
            position = limit;
        } else if (skippable()) {
            keepComment(end);
            position = unfinished ? limit : end + 1;
            line++;
        } else if (end - position > MAX_LINE) {
            throw overlong();
        } else {
            throw bad(MalformedLine.explain(Arrays.copyOfRange(buffer, position, end), unfinished));
        }
    }

    /** Keeps the line that ends before {@code end}, if it is a comment at the head. */
    private void keepComment(int end) {
        if (buffer[position] == '#' && records == 0 && comments.size() < MOST_COMMENTS && end - position <= MAX_LINE) {
            comments.add(new String(buffer, position + 1, end - position - 1, StandardCharsets.UTF_8).strip());
        }
    }

    /** Whether an empty line, a comment or a line of Valgrind's own begins here. */
    private boolean skippable() {
        byte c = buffer[position];
        if (c == '\n' || c == '#') {
            return true;
        }
        if (c == 'v') {
            return buffer[position + 1] == 'e' && buffer[position + 2] == 'x' && buffer[position + 3] == ' ';
        }
        if (c != '=' && c != '-' && c != '*' || buffer[position + 1] != c) {
            return false;
        }
        int p = position + 2;
        while (buffer[p] >= '0' && buffer[p] <= '9' && p - position < 16) {
            p++;
        }
        return p > position + 2 && buffer[p] == c && buffer[p + 1] == c;
    }

    /** Reads on; what is left in the buffer is the beginning of one line. */
    private void more() throws IOException {
        if (!skipping && limit - position > MAX_LINE) {
            if (!skippable()) {
                throw overlong();
            }
            skipping = true;
        }
        if (skipping) {
            position = limit;
        }
        System.arraycopy(buffer, position, buffer, 0, limit - position);
        limit -= position;
        position = 0;
        int start = limit;
        int n = -1;
        try {
            n = source.read(buffer, limit, BUFFER - limit);
        } catch (IOException e) {
            sourceFailure = e;
        }
        ended = n < 0;
        limit += Math.max(n, 0);
        buffer[limit] = 0;
        if (skipping) {
            start = stepToNextLine();
        }
        complete = limit;
        while (!ended && complete > start && buffer[complete - 1] != '\n') {
            complete--;
        }
        if (complete == start && !ended) {
            complete = position;
        }
    }

    /** In the middle of a comment: goes to the line after it, or to the end of the buffer if the comment goes on. */
    private int stepToNextLine() {
        while (position < limit && buffer[position] != '\n') {
            position++;
        }
        if (position < limit || ended) {
            position = Math.min(position + 1, limit);
            skipping = false;
            line++;
        }
        return position;
    }

    private void end() throws IOException {
        if (sourceFailure != null) {
            throw source.explain(line + 1, sourceFailure);
        }
        if (records == 0 && !live) {
            throw source.bad(0, "holds no record in its " + line + (line == 1 ? " line" : " lines")
                    + "; record it with valgrind --tool=lackey --trace-mem=yes");
        }
    }

    private TraceFormatException overlong() {
        return bad(MalformedLine.overlong(Arrays.copyOfRange(buffer, position, position + MAX_LINE), MAX_LINE));
    }

    private TraceFormatException bad(String what) {
        line++;
        return source.bad(line, what);
    }

    @Override
    public TraceFormat format() {
        return TraceFormat.LACKEY;
    }

    @Override
    public List<String> comments() {
        return Collections.unmodifiableList(comments);
    }

    @Override
    public long line() {
        return line;
    }

    @Override
    public long records() {
        return records;
    }
}

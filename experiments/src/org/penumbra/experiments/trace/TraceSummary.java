package org.penumbra.experiments.trace;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What is in a trace: how many records of each kind and size, and how many distinct pages they touch.
 *
 * @param format the form of the trace
 * @param comments the comments at its head
 * @param fetches instruction fetches
 * @param loads loads
 * @param stores stores
 * @param modifies modifications
 * @param sizes how many records access so many bytes, by number of bytes
 * @param pages distinct 4 KiB pages touched; an access that crosses into a second page touches both
 * @param largePages distinct 2 MiB pages touched
 * @param codePages those among the 4 KiB pages from which instructions were fetched
 * @param pageCrossings accesses that cross a 4 KiB page boundary
 */
public record TraceSummary(
        TraceFormat format, List<String> comments, long fetches, long loads, long stores, long modifies, SortedMap<Integer, Long> sizes,
        long pages, long largePages, long codePages, long pageCrossings) {

    private static final int PAGE_SHIFT = 12;
    private static final int LARGE_PAGE_SHIFT = 21;

    /** Keeps copies of comments and sizes that nobody can change. */
    public TraceSummary {
        comments = List.copyOf(comments);
        sizes = Collections.unmodifiableSortedMap(new TreeMap<>(sizes));
    }

    /** The number of records. */
    public long records() {
        return fetches + loads + stores + modifies;
    }

    /** Reads a trace file through. */
    public static TraceSummary of(Path file) throws IOException {
        try (TraceReader reader = TraceReader.open(file)) {
            return of(reader);
        }
    }

    /**
     * Reads what is left of a trace. Memory grows with the distinct pages (about 100 bytes for each 256 KiB region touched),
     * not with the length of the trace.
     *
     * @throws IOException as {@link TraceReader#read}
     */
    public static TraceSummary of(TraceReader reader) throws IOException {
        TraceBatch batch = new TraceBatch(4096);
        long[] kinds = new long[4];
        long[] bySize = new long[TraceBatch.MAX_SIZE + 1];
        PageSet all = new PageSet();
        PageSet large = new PageSet();
        PageSet code = new PageSet();
        long crossings = 0;
        while (reader.read(batch) > 0) {
            for (int i = 0; i < batch.count; i++) {
                byte kind = batch.kind[i];
                kinds[kind]++;
                bySize[batch.size[i]]++;
                long first = batch.address[i] >>> PAGE_SHIFT;
                long last = batch.address[i] + batch.size[i] - 1 >>> PAGE_SHIFT;
                all.add(first);
                all.add(last);
                large.add(first >>> LARGE_PAGE_SHIFT - PAGE_SHIFT);
                large.add(last >>> LARGE_PAGE_SHIFT - PAGE_SHIFT);
                if (kind == TraceBatch.FETCH) {
                    code.add(first);
                    code.add(last);
                }
                crossings += last - first;
            }
        }
        SortedMap<Integer, Long> sizes = new TreeMap<>();
        for (int size = 0; size < bySize.length; size++) {
            if (bySize[size] > 0) {
                sizes.put(size, bySize[size]);
            }
        }
        return new TraceSummary(reader.format(), reader.comments(), kinds[TraceBatch.FETCH], kinds[TraceBatch.LOAD], kinds[TraceBatch.STORE],
                kinds[TraceBatch.MODIFY], sizes, all.size(), large.size(), code.size(), crossings);
    }

    /** Page numbers, as a bit map for each 64 pages that lie together. */
    private static final class PageSet {
        private final Map<Long, long[]> words = new HashMap<>();
        private long region = -1;
        private long[] word;

        void add(long page) {
            if (page >>> 6 != region) {
                region = page >>> 6;
                word = words.computeIfAbsent(region, key -> new long[1]);
            }
            word[0] |= 1L << page;
        }

        long size() {
            return words.values().stream().mapToLong(bits -> Long.bitCount(bits[0])).sum();
        }
    }
}

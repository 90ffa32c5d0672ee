package org.penumbra.launcher;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A folder for the bundle cache of one run, in the system's folder for temporary files. It goes away when it is closed and when the
 * process is interrupted; what a killed process left behind, the next run removes, since nobody holds its lock any more.
 */
final class RunFolder implements AutoCloseable {

    private static final String    PREFIX    = "penumbra-run-";
    private static final String    LOCK    = "lock";

    private final Path            folder;
    private final FileChannel    channel;

    private RunFolder(Path folder, FileChannel channel) {
        this.folder = folder;
        this.channel = channel;
    }

    static RunFolder create() throws IOException {
        Path parent = Path.of(System.getProperty("java.io.tmpdir"));
        sweep(parent);
        Path folder = Files.createTempDirectory(parent, PREFIX);
        FileChannel channel = FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        channel.lock();
        RunFolder run = new RunFolder(folder, channel);
        Runtime.getRuntime()
            .addShutdownHook(new Thread(run::close, "penumbra run folder"));
        return run;
    }

    Path cache() {
        return folder.resolve("cache");
    }

    @Override
    public synchronized void close() {
        try {
            delete(folder);
            channel.close();
        } catch (IOException e) {
            // a temporary folder that cannot be removed now is removed by the next run
        }
    }

    private static void sweep(Path parent) throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent, PREFIX + "*")) {
            for (Path folder : folders) {
                try (FileChannel channel = FileChannel.open(folder.resolve(LOCK), StandardOpenOption.WRITE);
                    FileLock lock = channel.tryLock()) {
                    if (lock != null) {
                        delete(folder);
                    }
                } catch (IOException e) {
                    // being made, being removed, or another user's
                }
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException failure) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}

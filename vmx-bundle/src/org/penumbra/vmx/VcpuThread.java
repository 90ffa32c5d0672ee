package org.penumbra.vmx;

/** A thread that runs vCPUs. One that is stuck in an MMU is abandoned: another does its work, and it ends when it comes back. */
final class VcpuThread extends Thread {
    private volatile boolean abandoned;

    VcpuThread(Runnable work, String name) {
        super(null, work, name, 0, false);
        setDaemon(true);
        // Not the creator's, which may be a plugin's.
        setContextClassLoader(VcpuThread.class.getClassLoader());
    }

    void abandon() {
        abandoned = true;
    }

    boolean abandoned() {
        return abandoned;
    }
}

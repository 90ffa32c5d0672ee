package org.penumbra.devices.interrupt;

import java.util.Dictionary;
import java.util.Hashtable;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceReference;
import org.penumbra.api.interrupt.InterruptControllerFactory;

/** What a framework would hand out for a controller's service: a name, a ranking, an identity. */
final class FakeReference implements ServiceReference<InterruptControllerFactory> {
    private final Dictionary<String, Object> properties = new Hashtable<>();
    private final int ranking;

    FakeReference(String name, int ranking) {
        this.ranking = ranking;
        properties.put(InterruptControllerFactory.CONTROLLER_NAME, name);
        properties.put(Constants.SERVICE_RANKING, ranking);
    }

    @Override
    public Object getProperty(String key) {
        return properties.get(key);
    }

    @Override
    public String[] getPropertyKeys() {
        return new String[] {InterruptControllerFactory.CONTROLLER_NAME, Constants.SERVICE_RANKING};
    }

    @Override
    public Bundle getBundle() {
        return null;
    }

    @Override
    public Bundle[] getUsingBundles() {
        return null;
    }

    @Override
    public boolean isAssignableTo(Bundle bundle, String className) {
        return true;
    }

    @Override
    public int compareTo(Object other) {
        return Integer.compare(ranking, ((FakeReference) other).ranking);
    }

    @Override
    public Dictionary<String, Object> getProperties() {
        return properties;
    }

    @Override
    public <A> A adapt(Class<A> type) {
        return null;
    }
}

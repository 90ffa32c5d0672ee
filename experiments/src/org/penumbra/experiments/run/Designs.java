package org.penumbra.experiments.run;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.experiments.run.ServiceRegistry.Named;

/** The designs that the container offers, and the choice among them. */
public final class Designs {
    /** A design before its settings are chosen; {@code mmu} is null without a hypervisor. */
    public record Offer(String name, String description, Named<MmuFactory> mmu, int hostPageLevel) {}

    private final ServiceRegistry services;

    public Designs(ServiceRegistry services) {
        this.services = services;
    }

    /** Native first, then two for each MMU, by name. */
    public List<Offer> offers() {
        List<Offer> offers = new ArrayList<>();
        offers.add(new Offer(Design.NATIVE, "no hypervisor: the guest alone on the processor", null, 1));
        for (Named<MmuFactory> mmu : services.mmus()) {
            offers.add(new Offer(mmu.name(), mmu.service().description(), mmu, 1));
            offers.add(new Offer(mmu.name() + Design.LARGE, "as " + mmu.name() + ", on 2 MiB host pages", mmu, 2));
        }
        return offers;
    }

    /** The designs of {@code request}, or else of {@code experiment}, with their settings. */
    List<Design> select(Experiment experiment, RunRequest request) {
        List<String> names = request.designs().isEmpty() ? experiment.designs() : request.designs();
        return select(names, request.settings(), "--design");
    }

    /**
     * The designs {@code names} with their settings. A name may carry settings of its own, each after a colon, with or without the
     * design's name before the key: {@code shadow:unsync=off:previous-roots=0}. They outrank {@code given}.
     *
     * @param given settings by key, those that differ from their defaults
     * @param option by which a person names designs, for messages
     * @throws RefusedException if a name, a key or a value is unknown, or a design needs a machine that no bundle offers
     */
    public List<Design> select(List<String> names, Map<String, String> given, String option) {
        List<Offer> offers = offers();
        List<Variant> chosen = new ArrayList<>();
        for (String name : new LinkedHashSet<>(names)) {
            String[] parts = name.split(":", -1);
            List<Offer> same = offers.stream().filter(o -> o.name().equals(parts[0])).toList();
            if (same.isEmpty()) {
                throw new RefusedException(Suggestions.unknown("design", parts[0],
                        new LinkedHashSet<>(offers.stream().map(Offer::name).toList())));
            }
            if (same.size() > 1) {
                Planner.unique("design", same.stream().map(Offer::mmu).toList());
            }
            chosen.add(new Variant(name, same.get(0), own(name, same.get(0), parts, option)));
        }
        checkSettings(given, chosen.stream().map(Variant::offer).toList(), "--set", option);
        List<Design> designs = chosen.stream().map(v -> design(v, given)).toList();
        designs.forEach(this::requireMachine);
        return designs;
    }

    /** An offer with the settings that its name carries. */
    private record Variant(String name, Offer offer, Map<String, String> own) {}

    /** The settings in {@code parts} after the first, by full key. */
    private Map<String, String> own(String name, Offer offer, String[] parts, String option) {
        Map<String, String> own = new TreeMap<>();
        for (String part : List.of(parts).subList(1, parts.length)) {
            int equals = part.indexOf('=');
            if (equals < 1) {
                throw new RefusedException("design '" + name + "': '" + part + "' is no setting; NAME:KEY=VALUE is needed, for example "
                        + "shadow:unsync=off");
            }
            String prefix = offer.mmu() == null ? "" : offer.mmu().name() + ".";
            String key = part.substring(0, equals);
            own.put(key.startsWith(prefix) ? key : prefix + key, part.substring(equals + 1));
        }
        checkSettings(own, List.of(offer), option, option);
        return own;
    }

    private void requireMachine(Design d) {
        if (services.machineFactory(d.machineKind()).isEmpty()) {
            throw new RefusedException("design '" + d.name() + "' needs machines of kind '" + d.machineKind() + "', and no bundle"
                    + " offers them" + (d.machineKind().equals(MachineFactory.VMX) ? "; install the VMX bundle" : ""));
        }
    }

    private static Design design(Variant variant, Map<String, String> given) {
        Offer offer = variant.offer();
        List<Design.Setting> settings = new ArrayList<>();
        if (offer.mmu() != null) {
            for (MmuFactory.Setting s : offer.mmu().service().settings()) {
                String value = variant.own().getOrDefault(s.key(), given.getOrDefault(s.key(), s.defaultValue()));
                Origin origin = variant.own().containsKey(s.key()) ? Origin.DESIGN
                        : given.containsKey(s.key()) ? Origin.COMMAND_LINE : Origin.DEFAULT;
                settings.add(new Design.Setting(s.key(), value, value.equals(s.defaultValue()), origin));
            }
        }
        boolean nests = offer.mmu() != null && offer.mmu().service().nests();
        return new Design(variant.name(), offer.mmu() == null ? "" : offer.mmu().name(), offer.hostPageLevel(), settings, nests,
                offer.mmu() == null ? null : offer.mmu().service().extension());
    }

    /** @param by the option that carries the settings; {@code option} names the designs */
    private void checkSettings(Map<String, String> given, List<Offer> chosen, String by, String option) {
        Map<String, MmuFactory.Setting> usable = new TreeMap<>();
        for (Offer o : chosen) {
            if (o.mmu() != null) {
                o.mmu().service().settings().forEach(s -> usable.put(s.key(), s));
            }
        }
        for (Map.Entry<String, String> e : new TreeMap<>(given).entrySet()) {
            MmuFactory.Setting setting = usable.get(e.getKey());
            if (setting == null) {
                throw new RefusedException(explainUnusable(e.getKey(), usable.keySet(), option));
            }
            if (!setting.choices().isEmpty() && !setting.choices().contains(e.getValue())) {
                throw new RefusedException(by + " " + e.getKey() + "=" + e.getValue() + ": "
                        + Suggestions.unknown("value", e.getValue(), setting.choices()));
            }
        }
    }

    private String explainUnusable(String key, Set<String> usable, String option) {
        for (Named<MmuFactory> mmu : services.mmus()) {
            if (mmu.service().settings().stream().anyMatch(s -> s.key().equals(key))) {
                return "setting '" + key + "' belongs to design '" + mmu.name() + "', which is not run; add it to " + option;
            }
        }
        return usable.isEmpty() ? "unknown setting '" + key + "'; the designs that are run have none"
                : Suggestions.unknown("setting", key, new TreeSet<>(usable));
    }
}
